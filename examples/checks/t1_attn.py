"""`T1-ATTN-003`: the scores are not divided by the square root of the head's width."""

import math

from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(32, 16)
        self.qkv, self.head = nn.Linear(16, 48), nn.Linear(16, 32)

    def forward(self, tokens):
        q, k, v = self.qkv(self.embed(tokens)).chunk(3, dim=-1)
        scores = q @ k.transpose(1, 2)  # wrong: no scale
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])  # right
        return self.head(scores.softmax(-1) @ v)
