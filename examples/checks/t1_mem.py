"""`T1-MEM-002`: every layer registers its own copy of a large mask that they could share."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(32, 16), nn.Linear(16, 32)
        self.layers = nn.ModuleList(nn.Linear(16, 16) for _ in range(2))
        mask = torch.ones(2048, 2048).tril()
        for layer in self.layers:
            layer.register_buffer("mask", mask.clone(), persistent=False)  # wrong: 16 MiB for each layer
            layer.register_buffer("mask", mask, persistent=False)  # right

    def forward(self, tokens):
        x = self.embed(tokens)
        for layer in self.layers:
            mask = layer.mask[: x.shape[1], : x.shape[1]]
            x = x + torch.relu(layer((mask / mask.sum(-1, keepdim=True)) @ x))
        return self.head(x)
