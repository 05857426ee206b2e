"""The scale of the scores is judged whatever it is."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import tierproof as tp


class Attends(nn.Module):
    def __init__(self, factor, width=16):
        super().__init__()
        self.table, self.head = nn.Embedding(40, width), nn.Linear(width, 40)
        self.mix, self.factor = nn.Linear(width, 3 * width), factor

    def forward(self, ids):
        hidden = self.table(ids)
        query, key, value = self.mix(hidden).chunk(3, -1)
        weights = (query @ key.mT * self.factor).softmax(-1)
        return self.head(hidden + weights @ value)


@pytest.mark.parametrize("factor", [1e-3, 0.7, 1.3, 1.5, 2.0, 5.0, 40.0])
def test_every_scale_is_judged(factor):
    torch.manual_seed(0)
    (result,) = tp.check(Attends(factor), only=["T1-ATTN"], progress=False).results
    assert result.outcome == "passed"
    assert [f.code for f in result.findings if f.code == "T1-ATTN-006"]


def test_the_usual_scale_is_no_finding():
    torch.manual_seed(0)
    (result,) = tp.check(Attends(1 / math.sqrt(16)), only=["T1-ATTN"], progress=False).results
    assert result.findings == ()


class Luong(nn.Module):
    """Compares states with states and mixes those, as attention did before the transformer."""

    def __init__(self, *, copies):
        super().__init__()
        self.table, self.head = nn.Embedding(40, 16), nn.Linear(32, 40)
        self.bilinear, self.copies = nn.Linear(16, 16, bias=False), copies

    def forward(self, ids):
        states = self.table(ids)
        keys = states.transpose(1, 2).contiguous() if self.copies else states.mT
        weights = torch.bmm(self.bilinear(states), keys).softmax(-1)
        return self.head(torch.cat([torch.bmm(weights, states), states], -1))


@pytest.mark.parametrize("copies", [True, False])
def test_attention_that_mixes_what_it_compares_needs_no_scale(copies):
    torch.manual_seed(0)
    (result,) = tp.check(Luong(copies=copies), only=["T1-ATTN"], progress=False).results
    assert [(f.code, f.severity.value) for f in result.findings] == [("T1-ATTN-003", "info")]
