"""`T1-REG-001`: a plain list hides its layers from PyTorch, so they are never trained, moved or saved."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.layers = [nn.Linear(16, 16) for _ in range(2)]  # wrong: a plain list
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(2))  # right
        self.head = nn.Linear(16, 32)

    def forward(self, tokens):
        x = self.embed(tokens)
        for layer in self.layers:
            x = x + torch.relu(layer(x))
        return self.head(x)
