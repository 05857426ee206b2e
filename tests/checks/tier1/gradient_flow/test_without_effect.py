"""T1-GRAD: what gets no gradient by the inputs tried, or by design, is no finding; what was forgotten is one."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from checks.planting import alarms, find, run_check
from tierproof.checks.tier1.gradient_flow.gradient_flow import CHECK
from tierproof.checks.tier1.input_influence.input_influence import CHECK as INPUT_CHECK


class Windows(nn.Module):
    """Attention over the positions that a pyramid leaves of an image: one of a small image."""

    def __init__(self, *, reads=True):
        super().__init__()
        self.stem, self.mix = nn.Conv2d(3, 8, 32, 32), nn.Linear(8, 16)
        self.head, self.reads = nn.Linear(8, 4), reads

    def forward(self, pixel_values):
        x = self.stem(pixel_values).flatten(2).mT
        query, value = self.mix(x).chunk(2, -1)
        weights = torch.exp(query @ query.mT)
        mixed = weights / weights.sum(-1, keepdim=True) @ value
        return self.head((mixed if self.reads else value).mean(1))


def test_what_a_larger_image_trains_is_no_finding():
    torch.manual_seed(0)
    assert alarms(run_check(CHECK, Windows())) == []


def test_what_no_image_trains_stays_one():
    torch.manual_seed(0)
    assert find(run_check(CHECK, Windows(reads=False)), "T1-GRAD-015").where == "mix"


class MaskedLinear(nn.Linear):
    """A layer whose mask hides every input from the first outputs, as of an autoregressive network."""

    def __init__(self):
        super().__init__(8, 8)
        self.register_buffer("mask", (torch.arange(8)[:, None] // 2 > torch.arange(8)[None, :] // 2).float())

    def forward(self, x):
        return F.linear(x, self.weight * self.mask, self.bias)


def test_rows_that_a_declared_mask_hides():
    torch.manual_seed(0)
    model = nn.Sequential(MaskedLinear(), nn.Tanh(), nn.Linear(8, 4))
    assert not [f for f in run_check(CHECK, model).findings if f.code == "T1-GRAD-015"]


class Waits(nn.Module):
    """A layer that compresses memories, where there are some."""

    def __init__(self):
        super().__init__()
        self.inner, self.compress = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x, memory=None):
        y = x + self.inner(x)
        return y if memory is None else self._remember(y, memory)

    def _remember(self, y, memory):
        return y + self.compress(memory)


class Forgets(Waits):
    def forward(self, x):
        return x + self.inner(x)


ONCE = True


class Replaced(Waits):
    """What stands behind a constant of the code, no call reaches."""

    def forward(self, x):
        return x + (self.inner if ONCE else self.compress)(x)


class Stack(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layers, self.head = nn.ModuleList(kind() for _ in range(2)), nn.Linear(8, 4)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


@pytest.mark.parametrize(
    ("kind", "told"),
    [(Waits, []), (Forgets, ["layers.0.compress"]), (Replaced, ["layers.0.compress"])],
)
def test_a_part_that_the_forward_names_waits_for_another_call(kind, told):
    torch.manual_seed(0)
    found = [f.where for f in run_check(CHECK, Stack(kind)).findings if f.code == "T1-GRAD-014"]
    assert found == told


class Quantised(nn.Module):
    """Looks its input up in a codebook, straight through or with a choice alone."""

    def __init__(self, codes, *, straight):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(2))
        self.head, self.straight = nn.Linear(8, 4), straight
        self.register_buffer("codes", codes)

    def forward(self, x):
        for layer in self.layers:
            x = torch.tanh(layer(x))
        found = F.embedding(torch.cdist(x, self.codes.expand(x.shape[0], -1, -1)).argmin(-1), self.codes)
        return self.head(x + (found - x).detach() if self.straight else found)


@pytest.mark.parametrize("check", [CHECK, INPUT_CHECK])
def test_a_codebook_that_is_still_empty_hides_the_encoder(check):
    torch.manual_seed(0)
    assert alarms(run_check(check, Quantised(torch.zeros(16, 8), straight=False))) == []


def test_a_gradient_passed_straight_through_is_meant_so():
    torch.manual_seed(0)
    finding = find(run_check(CHECK, Quantised(torch.randn(16, 8), straight=True)), "T1-GRAD-008")
    assert (finding.severity.value, finding.where) == ("info", "")


class ReturnsItsInput(nn.Module):
    """Gives its input back beside what it computed: the input carries no gradient."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        hidden = self.first(x)
        return hidden, x, self.last(hidden.tanh())


def test_an_output_without_gradient_shifts_no_target():
    torch.manual_seed(0)
    output = run_check(CHECK, ReturnsItsInput())
    assert alarms(output) == []
    assert output.document["largest_relative_mismatch"] <= 5e-3
