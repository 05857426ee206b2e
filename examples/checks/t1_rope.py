"""`T1-ROPE-001`: the queries are rotated by their positions, the keys are not."""

import torch
from torch import nn


def rotate(x):
    angles = torch.arange(x.shape[1])[:, None] / 100 ** (torch.arange(8) / 8)
    first, second = x.chunk(2, -1)
    cos, sin = angles.cos().to(x), angles.sin().to(x)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.project, self.head = nn.Embedding(32, 16), nn.Linear(16, 48), nn.Linear(16, 32)

    def forward(self, ids):
        x = self.embed(ids)
        q, k, v = self.project(x).chunk(3, -1)
        q = rotate(q)  # wrong: rotates the queries only
        q, k = rotate(q), rotate(k)  # right: the product then depends on the distance
        return self.head(x + (q @ k.transpose(1, 2) / 4).softmax(-1) @ v)
