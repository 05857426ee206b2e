"""T1-STAB-002: dropout in evaluation is an error, fixed noise a warning; what samples by design gets an info."""

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
        (lambda x: x + torch.normal(0.0, 0.1, x.shape), "warning"),
        (lambda x: x.add(x.new_empty(x.shape).normal_(0, 0.1)), "warning"),
        (lambda x: x * (1 + 0.1 * torch.randn_like(x)), "warning"),
        (lambda x: F.dropout(x, 0.5), "error"),
        (lambda x: x * (torch.rand_like(x) < 0.5), "error"),
        (lambda x: x / 0.5 * torch.floor(0.5 + torch.rand(x.shape[0], 1)), "error"),
        (lambda x: x + 0.1 * (torch.rand_like(x) - 0.5), "error"),
        (lambda x: x + x.exp() * torch.randn_like(x), "info"),
        (lambda x: torch.normal(x, x.exp()), "info"),
        (lambda x: x[:, torch.rand(16).argsort()], "info"),
        (lambda x: x[:, torch.randint(16, (16,))], "info"),
        (lambda x: torch.rand(x.shape[0], 1) * x, "info"),
    ],
)
def test_what_is_drawn_decides(draw, severity):
    torch.manual_seed(0)
    found = [f for f in run_check(CHECK, Drawing(draw)).findings if f.code in ("T1-STAB-002", "T1-STAB-014")]
    assert [f.severity.value for f in found] == [severity]
    assert isinstance(found[0], Claim) == (severity != "info")


class Refined(nn.Module):
    """A sampler: it begins at noise and takes steps away from it."""

    def __init__(self):
        super().__init__()
        self.step = nn.Linear(16, 8)

    def forward(self, x):
        state = torch.randn_like(x)
        for _ in range(2):
            state = state - 0.1 * self.step(torch.cat([state, x], dim=-1))
        return state


def test_a_start_that_is_refined_is_no_noise_on_an_activation():
    found = [f for f in run_check(CHECK, Refined()).findings if f.code in ("T1-STAB-002", "T1-STAB-014")]
    assert [f.severity.value for f in found] == ["info"]


class Masked(nn.Module):
    """An objective that hides a random part of its input, in every mode."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(8, 8)

    def forward(self, x):
        hidden = torch.rand(x.shape) < 0.5
        return ((self.net(x.masked_fill(hidden, 0.0)) - x)[hidden] ** 2).mean()


def test_an_objective_may_hide_what_it_predicts():
    assert not any(f.code == "T1-STAB-002" for f in run_check(CHECK, Masked()).findings)
