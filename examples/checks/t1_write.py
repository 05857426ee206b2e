"""`T1-WRITE-001`: a norm works in place on the tensor that the caller adds afterwards."""

from torch import nn


class Norm(nn.Module):
    def forward(self, x):
        y = x.float()  # wrong: of a float32 tensor, this is the tensor itself
        y = x.float().clone()  # right: a tensor of its own
        return y.mul_(y.square().mean(-1, keepdim=True).add(1e-6).rsqrt())


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.norm, self.inner = nn.Embedding(32, 16), Norm(), nn.Linear(16, 16)
        self.head = nn.Linear(16, 32)

    def forward(self, ids):
        x = 3 * self.embed(ids)
        return self.head(x + self.inner(self.norm(x)))
