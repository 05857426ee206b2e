"""`T1-DROP-001`: the activation is (length, batch, width), but the mask is drawn as if the batch came first."""

import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.block, self.head = nn.Embedding(32, 16), nn.Linear(16, 16), nn.Linear(16, 32)

    def forward(self, tokens):
        x = self.embed(tokens.transpose(0, 1))
        branch = torch.tanh(self.block(x))
        if self.training:
            shape = (x.shape[0], 1, 1)  # wrong: one number for each position
            shape = (1, x.shape[1], 1)  # right
            branch = branch * (torch.rand(shape) < 0.8) / 0.8
        return self.head(x + branch).transpose(0, 1)
