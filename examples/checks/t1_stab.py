"""`T1-STAB-002`: `F.dropout` also drops in evaluation mode unless you pass the mode."""

import torch.nn.functional as F
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.head = nn.Linear(16, 32)

    def forward(self, tokens):
        x = self.embed(tokens)
        x = F.dropout(x, 0.1)  # wrong: `training` is True by default
        x = F.dropout(x, 0.1, training=self.training)  # right
        return self.head(x)
