"""`T1-CAUSAL-001`: `diagonal=1` in the mask lets every token see the next one."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.qkv, self.head = nn.Linear(16, 48), nn.Linear(16, 32)

    def forward(self, tokens):
        q, k, v = self.qkv(self.embed(tokens)).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2) / 4
        mask = torch.ones_like(scores).tril(diagonal=1)  # wrong: one position too far
        mask = torch.ones_like(scores).tril()  # right
        return self.head(scores.masked_fill(mask == 0, float("-inf")).softmax(-1) @ v)
