"""`T1-LOSS-004`: the model returns probabilities, and `F.cross_entropy` would apply a second softmax."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.head = nn.Linear(16, 32)

    def forward(self, tokens):
        logits = self.head(self.embed(tokens))
        return torch.softmax(logits, dim=-1)  # wrong: probabilities
        return logits  # right
