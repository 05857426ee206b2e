"""Rounding is told from a difference by answering again in float64."""

from __future__ import annotations

import torch
from torch import nn

from tierproof.model.compare.steady_answer import find_baseline
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.handwritten import build


def test_a_difference_that_vanishes_in_float64_is_rounding():
    base = find_baseline(prepare_subject(build("char_gpt")), 0, batch=2)
    asked = []

    def measure(change):
        return lambda other: asked.append(other.answer.dtype) or change

    assert not base.exceeds(1e-5, 1e-4, measure(1.0))
    assert asked == []
    assert not base.exceeds(1e-3, 1e-4, measure(1e-12))
    assert base.exceeds(1e-3, 1e-4, measure(1e-3))
    assert asked == [torch.float64, torch.float64]
    assert base.exceeds(0.5, 1e-4, measure(0.0))  # no rounding is as large as that


def test_the_answer_in_float64_is_the_same_and_leaves_the_model_alone():
    model = build("tiny_vit")
    base = find_baseline(prepare_subject(model), 0, batch=2)
    wide = base.in_double()
    assert torch.allclose(wide.answer.float(), base.answer, atol=1e-4)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


class InsistsOnFloat32(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 4)

    def forward(self, x):
        return self.layer(x).float()


def test_a_model_that_insists_on_float32_is_judged_by_it():
    torch.manual_seed(0)
    base = find_baseline(prepare_subject(InsistsOnFloat32()), 0, batch=2)
    assert base.in_double() is None
    assert base.exceeds(1e-3, 1e-4, lambda other: 0.0)
