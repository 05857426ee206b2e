"""The check only measures and has no findings. A Python loop over positions makes `peak_share` small."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(32, 16), nn.Linear(16, 32)

    def forward(self, tokens):
        x = self.embed(tokens)
        return torch.stack([self.head(step) for step in x.unbind(1)], dim=1)  # wrong: a loop over positions
        return self.head(x)  # right
