"""Parameters keep their identity from call to call."""

from __future__ import annotations

import torch
from torch import nn

import tierproof as tp


class Replacing(nn.Module):
    """Gives its layer a new weight in every forward, or changes the old one's values."""

    def __init__(self, *, in_place):
        super().__init__()
        self.layer, self.in_place = nn.Linear(8, 8), in_place

    def forward(self, x):
        unit = nn.functional.normalize(self.layer.weight.detach(), dim=1)
        if self.in_place:
            with torch.no_grad():
                self.layer.weight.copy_(unit)
        else:
            self.layer.weight = nn.Parameter(unit)
        return self.layer(x)


def codes(model):
    report = tp.check(model, inputs=torch.randn(4, 8), only=["T1-REG"], progress=False)
    return {(f.code, f.severity.value, f.where) for r in report.results for f in r.findings}


def test_a_parameter_that_each_forward_replaces_is_an_error_and_the_first_one_is_back():
    model = Replacing(in_place=False)
    weight = model.layer.weight
    assert ("T1-REG-013", "error", "layer") in codes(model)
    assert model.layer.weight is weight


def test_values_changed_in_place_are_not():
    assert "T1-REG-013" not in {code for code, _, _ in codes(Replacing(in_place=True))}
