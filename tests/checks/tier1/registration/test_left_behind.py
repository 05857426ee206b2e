"""T1-REG-003: a tensor that the forward moves, and the constructor makes again, needs no registration."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import run_check
from tierproof.checks.tier1.registration.registration import CHECK


class Banded(nn.Module):
    """Attention under a mask in a plain attribute, which the forward moves in one of several ways."""

    def __init__(self, way="device"):
        super().__init__()
        self.mix, self.way = nn.Linear(8, 24), way
        self.hidden = torch.ones(16, 16, dtype=torch.bool).triu(2)

    def forward(self, x):
        query, key, value = self.mix(x).chunk(3, -1)
        scores = query @ key.mT / torch.sqrt(torch.tensor(8).type(query.type()))
        if self.way == "kept":
            self.hidden = self.hidden.to(x.device)
        hidden = self.hidden.to(x.device) if self.way == "device" else self.hidden
        length = x.shape[1]
        return scores.masked_fill(hidden[:length, :length], -1e4).softmax(-1) @ value


class Waves(nn.Module):
    """Adds a table in a plain attribute, of waves or of random numbers."""

    def __init__(self, drawn=False):
        super().__init__()
        self.layer, self.drawn = nn.Linear(8, 8), drawn
        angles = torch.arange(64.0)[:, None] * torch.logspace(0, -2, 8)
        self.table = torch.randn(64, 8) if drawn else angles.sin()

    def forward(self, x):
        return self.layer(x + self.table[: x.shape[1]].to(x.device))


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: Banded("device"), False),
        (lambda: Banded("kept"), False),
        (lambda: Banded("left"), True),
        (Waves, False),
        (lambda: Waves(drawn=True), True),
    ],
)
def test_what_the_forward_moves_is_not_left_behind(build, told):
    torch.manual_seed(0)
    found = [f.code for f in run_check(CHECK, build()).findings if f.code == "T1-REG-003"]
    assert found == (["T1-REG-003"] if told else [])
