"""`T1-HALF-001`: float16 cannot represent the constant that hides later positions."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.project, self.head = nn.Embedding(32, 16), nn.Linear(16, 48), nn.Linear(16, 32)

    def forward(self, ids):
        x = self.embed(ids)
        q, k, v = self.project(x).chunk(3, -1)
        scores = q @ k.transpose(1, 2) / 4
        later = torch.ones_like(scores, dtype=torch.bool).triu(1)
        scores = scores.masked_fill(later, -1e9)  # wrong: float16 ends at -65504
        scores = scores.masked_fill(later, float("-inf"))  # right: every dtype has it
        return self.head(x + scores.softmax(-1) @ v)
