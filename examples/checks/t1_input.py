"""`T1-INPUT-002`: an assignment overwrites the first token, so its content is lost."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.start = nn.Parameter(torch.randn(1, 1, 16))
        self.head = nn.Linear(16, 32)

    def forward(self, tokens):
        x = self.embed(tokens)
        start = self.start.expand(len(x), 1, 16)
        x = torch.cat([start, x[:, 1:]], dim=1)  # wrong: replaces the first token
        x = torch.cat([start + x[:, :1], x[:, 1:]], dim=1)  # right
        return self.head(x)
