"""`T1-POS-001`: the frequencies are whole numbers, so nearly all columns of the table are equal."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(32, 16), nn.Linear(16, 32)
        steps = torch.arange(8) // 8  # wrong: divides whole numbers
        steps = torch.arange(8) / 8  # right
        angles = torch.arange(64)[:, None] * 10000.0**-steps
        self.register_buffer("table", torch.cat((angles.sin(), angles.cos()), -1))

    def forward(self, tokens):
        return self.head(torch.tanh(self.embed(tokens) + self.table[: tokens.shape[1]]))
