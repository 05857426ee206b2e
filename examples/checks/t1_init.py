"""`T1-INIT-005`: a constant matrix makes all units of the layer compute and learn the same."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.mix = nn.Linear(16, 16)
        nn.init.constant_(self.mix.weight, 0.1)  # wrong: all rows are equal
        nn.init.xavier_uniform_(self.mix.weight)  # right
        self.head = nn.Linear(16, 32)

    def forward(self, tokens):
        return self.head(torch.relu(self.mix(self.embed(tokens))))
