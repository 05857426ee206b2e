"""`T1-CKPT-001`: the block counts its calls, and checkpointing runs its forward a second time."""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.calls = nn.Linear(16, 16), 0

    def forward(self, x):
        self.calls += 1  # wrong: the second forward sees another number
        return x + torch.tanh(self.mix(x) / self.calls)  # wrong
        return x + torch.tanh(self.mix(x))  # right


class Model(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Embedding(32, 16), Block(), Block(), nn.Linear(16, 32))
