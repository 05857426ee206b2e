"""`T1-GRAD-003`: `detach()` cuts the graph, so no gradient reaches the embedding and the first layer."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.mix = nn.Linear(16, 16)
        self.head = nn.Linear(16, 32)

    def forward(self, tokens):
        x = torch.tanh(self.mix(self.embed(tokens)))
        x = x.detach()  # wrong: cuts the graph
        return self.head(x)
