"""`T1-SHAPE-003`: `squeeze()` without an axis also removes a batch axis of size 1."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.head = nn.Linear(16, 32)

    def forward(self, tokens):
        x = self.embed(tokens)
        weights = torch.softmax(x.mean(-1, keepdim=True), dim=1)
        pooled = (weights.transpose(1, 2) @ x).squeeze()  # wrong: also removes a batch of one
        pooled = (weights.transpose(1, 2) @ x).squeeze(1)  # right
        return self.head(pooled)
