"""`T1-SKIP-001`: a block adds its branch to itself instead of to its input."""

from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.project = nn.LayerNorm(16), nn.Linear(16, 48)
        self.feed_forward = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

    def forward(self, x):
        q, k, v = self.project(self.norm(x)).chunk(3, -1)
        attended = (q @ k.transpose(1, 2) / 4).softmax(-1) @ v
        x = attended + attended  # wrong: the input is lost
        x = x + attended  # right: the branch is added to the input
        return x + self.feed_forward(x)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(32, 16), nn.Linear(16, 32)
        self.blocks = nn.ModuleList(Block() for _ in range(2))

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x)
        return self.head(x)
