"""T1-STAB-002: dropout in evaluation is an error; a model of floats that samples gets a warning."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from checks.planting import run_check
from tierproof.checks.claim import Claim
from tierproof.checks.tier1.stability.stability import CHECK


class Drawing(nn.Module):
    """Draws numbers between two layers, also in evaluation mode."""

    def __init__(self, draw):
        super().__init__()
        self.first, self.last, self.draw = nn.Linear(8, 16), nn.Linear(16, 8), draw

    def forward(self, x):
        return self.last(self.draw(torch.tanh(self.first(x))))


@pytest.mark.parametrize(
    ("draw", "severity"),
    [
        (lambda x: x + 0.1 * torch.randn_like(x), "warning"),
        (lambda x: F.dropout(x, 0.5), "error"),
        (lambda x: x * (torch.rand_like(x) < 0.5), "error"),
    ],
)
def test_what_is_drawn_decides(draw, severity):
    torch.manual_seed(0)
    found = [f for f in run_check(CHECK, Drawing(draw)).findings if f.code == "T1-STAB-002"]
    assert [(f.severity.value, type(f)) for f in found] == [(severity, Claim)]
