"""T1-ATTN-008: products of queries and keys that only the scale behind them brings into float16's range."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from checks.planting import alarms, find, run_check
from tierproof.checks.tier1.attention import CHECK


class Pooler(nn.Module):
    """Attention over tokens, with its factor before or behind the product."""

    def __init__(self, before, gain):
        super().__init__()
        self.words, self.out = nn.Embedding(30, 64), nn.Linear(64, 3)
        self.query, self.key, self.value = (nn.Linear(64, 64, bias=False) for _ in range(3))
        self.before = before
        with torch.no_grad():
            self.query.weight.mul_(gain)
            self.key.weight.mul_(gain)

    def forward(self, tokens):
        x = self.words(tokens)
        q, k, v = self.query(x), self.key(x), self.value(x)
        first, then = (1 / math.sqrt(64), 1.0) if self.before else (1.0, 1 / math.sqrt(64))
        scores = (q * first) @ k.transpose(1, 2) * then
        return self.out(scores.softmax(-1) @ v)


def make(before, gain):
    torch.manual_seed(0)
    return Pooler(before, gain)


def test_a_factor_behind_a_product_that_is_too_large():
    finding = find(run_check(CHECK, make(False, 120.0)), "T1-ATTN-008")
    assert finding.evidence["largest_product"] > 65504
    assert finding.evidence["later_scale"] == pytest.approx(1 / 8)


@pytest.mark.parametrize(("before", "gain"), [(True, 120.0), (False, 1.0), (True, 1.0)])
def test_products_in_range(before, gain):
    assert [f for f in alarms(run_check(CHECK, make(before, gain))) if f.code == "T1-ATTN-008"] == []
