"""An input that waits for a gain of zero is not lost; one that is multiplied by zero for good is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tierproof as tp
from checks.planting import run_check
from tierproof.checks.tier1.input_influence.input_influence import CHECK


class Behind(nn.Module):
    def __init__(self, gain):
        super().__init__()
        self.first, self.last, self.gain = nn.Conv2d(3, 6, 4, 4), nn.Linear(6, 3), gain

    def forward(self, image):
        return self.last(self.first(image).mean((2, 3)) * self.gain)


def errors(gain):
    torch.manual_seed(0)
    report = tp.check(
        Behind(gain), spec=tp.ModelSpec(image_size=16), only=["T1-INPUT", "T1-GRAD"], progress=False
    )
    return {f.code for r in report.results for f in r.errors}


def test_a_gain_that_training_moves_is_no_loss():
    assert errors(nn.Parameter(torch.zeros(6))) == set()


def test_a_factor_of_zero_is():
    assert errors(0.0) == {"T1-GRAD-004", "T1-INPUT-001"}


class Pooled(nn.Module):
    """Keeps the largest of all positions, or loses one of them."""

    def __init__(self, *, loses):
        super().__init__()
        self.features, self.head, self.loses = nn.Linear(8, 6), nn.Linear(6, 4), loses

    def forward(self, x):
        hidden = self.features(x)
        return self.head((hidden[:, 1:] if self.loses else hidden).amax(1))


@pytest.mark.parametrize("loses", [False, True])
def test_a_position_that_loses_a_maximum_wins_it_in_another_input(loses):
    torch.manual_seed(0)
    found = [f for f in run_check(CHECK, Pooled(loses=loses)).findings if f.code == "T1-INPUT-002"]
    assert [f.evidence["without_influence"] for f in found] == ([[0]] if loses else [])


class Drowned(nn.Module):
    """One position is added to a value beside which it is nothing, as memory that was never initialised may hold."""

    def __init__(self, size: float):
        super().__init__()
        self.embed, self.head = nn.Embedding(20, 8), nn.Linear(8, 4)
        self.places = nn.Parameter(torch.zeros(64, 8))
        with torch.no_grad():
            self.places[1] = size

    def forward(self, ids):
        return self.head(
            (self.embed(ids) + self.places[: ids.shape[1]]) / (1 + self.places[: ids.shape[1]].abs())
        )


def test_what_is_lost_beside_garbage_is_a_warning():
    torch.manual_seed(0)
    report = tp.check(Drowned(1e30), only=["T1-INPUT"], progress=False)
    assert [(f.code, f.severity.value) for f in report.findings] == [("T1-INPUT-002", "warning")]
    torch.manual_seed(0)
    found = tp.check(Drowned(1.0), only=["T1-INPUT"], progress=False).findings
    assert "T1-INPUT-002" not in {finding.code for finding in found}


class Complex(nn.Module):
    """Returns complex numbers, of which one part may be zero throughout."""

    def __init__(self, make, *, reads=True):
        super().__init__()
        self.features, self.shift = nn.Linear(8, 4), nn.Parameter(torch.randn(4))
        self.make, self.reads = make, reads

    def forward(self, x):
        hidden = self.features(x) if self.reads else self.features(torch.zeros_like(x))
        return self.make(hidden + self.shift)


@pytest.mark.parametrize(
    "make",
    [torch.fft.fft, lambda y: torch.complex(y, torch.zeros_like(y)), lambda y: torch.complex(y * 0, y)],
    ids=["both", "real", "imaginary"],
)
def test_what_only_complex_outputs_depend_on_is_no_lost_input(make):
    torch.manual_seed(0)
    report = tp.check(Complex(make), progress=False)
    assert [finding.code for result in report.results for finding in result.errors] == []
    torch.manual_seed(0)
    lost = tp.check(Complex(make, reads=False), only=["T1-INPUT"], progress=False)
    assert [finding.code for finding in lost.findings] == ["T1-INPUT-001"]
