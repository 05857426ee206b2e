"""Models whose attributions are known by construction."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

TELLING = 7


class LinearFloats(nn.Module):
    """Scores are linear in the input: every method gives weight × input."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(6, 3)

    def forward(self, x):
        return self.out(x)


class TellingToken(nn.Module):
    """A classifier of texts that looks for one token, and for nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 4)
        with torch.no_grad():
            self.embed.weight.normal_(std=0.1)
            self.embed.weight[:, 0] = 0.0
            self.embed.weight[TELLING, 0] = 3.0
        self.head = nn.Linear(1, 2)
        with torch.no_grad():
            self.head.weight.copy_(torch.tensor([[-1.0], [1.0]]))

    def forward(self, tokens):
        return self.head(torch.tanh(self.embed(tokens)[..., :1].sum(1)))


class OneHotModel(nn.Module):
    """A character model without an embedding module."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(12, 16)
        self.head = nn.Linear(16, 12)

    def forward(self, tokens):
        return self.head(torch.tanh(self.mix(F.one_hot(tokens, 12).float()).cumsum(1)))


class BareTable(nn.Module):
    """Indexes a parameter, with the ids flattened."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(15, 8))
        self.head = nn.Linear(8, 15)

    def forward(self, tokens):
        x = self.table[tokens.view(-1)].view(*tokens.shape, 8)
        return self.head(torch.tanh(x.cumsum(1)))


class Detached(nn.Module):
    """The answer depends on the tokens, and no gradient does."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens):
        return self.head(self.embed(tokens).detach().tanh().mean(1))


class Deaf(nn.Module):
    """The answer depends on nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, tokens):
        return self.head((self.embed(tokens) * 0.0).mean(1))
