"""`T1-SKIP-001`: a block adds its branch to itself instead of to its input."""

from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.project = nn.LayerNorm(16), nn.Linear(16, 48)

    def forward(self, x):
        q, k, v = self.project(self.norm(x)).chunk(3, -1)
        y = (q @ k.transpose(1, 2) / 4).softmax(-1) @ v
        return y + y  # wrong: the input is lost
        return x + y  # right: the branch is added to the input


class Model(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Embedding(32, 16), nn.Sequential(Block(), Block()), nn.Linear(16, 32))
