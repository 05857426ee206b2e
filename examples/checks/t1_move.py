"""`T1-MOVE-001`: `torch.arange` creates its tensor on the CPU, so the forward raises on a GPU."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.place = nn.Embedding(32, 16), nn.Embedding(64, 16)
        self.head = nn.Linear(16, 32)

    def forward(self, tokens):
        places = torch.arange(tokens.shape[1])  # wrong: always on the CPU
        places = torch.arange(tokens.shape[1], device=tokens.device)  # right
        return self.head(self.embed(tokens) + self.place(places))
