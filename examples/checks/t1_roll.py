"""`T1-ROLL-001`: the last window of a rolled sequence holds its end and its beginning, and nothing keeps them apart."""

import torch
from torch import nn


class Model(nn.Module):
    image_size = 8

    def __init__(self):
        super().__init__()
        self.embed, self.qkv, self.head = nn.Conv2d(3, 16, (1, 8)), nn.Linear(16, 48), nn.Linear(16, 5)
        region = torch.zeros(8, dtype=torch.long)  # wrong: one region
        region = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1])  # right
        window = region.view(2, 4)
        self.register_buffer("joined", window[:, None] == window[:, :, None])

    def forward(self, images):
        x = torch.roll(self.embed(images).squeeze(3).transpose(1, 2), -2, 1)
        q, k, v = self.qkv(x.unflatten(1, (2, 4))).chunk(3, dim=-1)
        scores = (q @ k.transpose(2, 3) / 4).masked_fill(~self.joined, -1e4)
        return self.head(torch.roll((scores.softmax(-1) @ v).flatten(1, 2), 2, 1))
