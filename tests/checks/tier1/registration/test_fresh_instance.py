"""A fresh instance is built with the arguments that this one shows, and only if it is of like size."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tierproof as tp


class Keeps(nn.Module):
    def __init__(self, size, width):
        super().__init__()
        self.size, self.width = size, width
        self.table, self.head = nn.Embedding(size, width), nn.Linear(width, size)

    def forward(self, ids):
        return self.head(self.table(ids))


class Large(Keeps):
    def __init__(self, size=60_000, width=512):
        super().__init__(size, width)
        del self.size, self.width


class Rotating(nn.Module):
    def __init__(self, base=100.0):
        super().__init__()
        self.table, self.head = nn.Embedding(32, 16), nn.Linear(16, 32)
        self.register_buffer("speeds", base ** -torch.linspace(0, 1, 16), persistent=False)

    def forward(self, ids):
        turned = torch.cos(torch.arange(ids.shape[1], device=ids.device)[:, None] * self.speeds)
        return self.head(self.table(ids) * turned)


class Random(Rotating):
    def __init__(self, base=100.0):
        super().__init__(base)
        self.speeds = torch.rand(16)


def check(model):
    (result,) = tp.check(model, only=["T1-REG"], progress=False).results
    found = [(f.code, f.severity.value) for f in result.findings if f.code == "T1-REG-010"]
    return found, result.measurements


def test_arguments_are_recovered_from_attributes():
    found, measured = check(Keeps(32, 16))
    assert found == []
    assert measured["fresh_instance_change"] == 0


def test_what_would_be_larger_than_the_model_is_given_up():
    found, measured = check(Large(32, 16))
    assert found == []
    assert "larger than this model" in measured["fresh_instance"]


@pytest.mark.parametrize(
    ("build", "severity"), [(lambda: Rotating(900.0), "warning"), (lambda: Random(900.0), "error")]
)
def test_a_difference_that_an_unknown_argument_explains_is_a_warning(build, severity):
    assert check(build())[0] == [("T1-REG-010", severity)]
