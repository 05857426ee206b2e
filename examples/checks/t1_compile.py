"""`T1-COMPILE-003`: `.item()` ends the graph, so torch.compile splits the forward pass in two."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(32, 16), nn.Linear(16, 32)

    def forward(self, tokens):
        x = self.embed(tokens)
        x = x / max(x.std().item(), 1e-3)  # wrong: a Python number ends the graph
        x = x / x.std(-1, keepdim=True).clamp(min=1e-3)  # right
        return self.head(torch.relu(x))
