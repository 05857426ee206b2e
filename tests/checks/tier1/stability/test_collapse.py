"""T1-STAB-005: inputs that differ in rounding alone until training begins are no collapse; a mean over all of them is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import run_check
from tierproof.checks.tier1.stability.stability import CHECK


class Faint(nn.Module):
    """A first layer of tiny weights before a large bias, or rows that are averaged."""

    def __init__(self, *, averages):
        super().__init__()
        self.first, self.last, self.averages = nn.Linear(8, 8), nn.Linear(8, 2), averages
        nn.init.normal_(self.first.weight, std=1.0 if averages else 1e-9)

    def forward(self, x):
        hidden = self.first(x)
        return self.last(hidden.mean((0, 1)).expand(x.shape[0], -1) if self.averages else hidden.mean(1))


@pytest.mark.parametrize(("averages", "code"), [(False, "T1-STAB-014"), (True, "T1-STAB-005")])
def test_what_training_parts_at_once_is_no_collapse(averages, code):
    torch.manual_seed(0)
    codes = [f.code for f in run_check(CHECK, Faint(averages=averages)).findings]
    assert code in codes
    assert ("T1-STAB-005" in codes) == averages
