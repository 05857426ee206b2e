"""T1-CROSS-003: cross-attention under a mask that belongs to the target."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import alarms, find, run_check
from tierproof.checks.tier1.cross_attention.cross_attention import CHECK
from zoo.handwritten import build


class Reader(nn.Module):
    """Attention of one sequence to another, written out, under a mask that `hide` makes."""

    def __init__(self, hide):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(24, 24) for _ in range(3))
        self.hide = hide

    def forward(self, x, memory):
        scores = self.query(x) @ self.key(memory).mT / 24**0.5
        if self.hide is not None:
            scores = scores.masked_fill(self.hide(x.shape[1], memory.shape[1]), float("-inf"))
        return scores.softmax(-1) @ self.value(memory)


class Summariser(nn.Module):
    def __init__(self, hide):
        super().__init__()
        self.long, self.short = nn.Embedding(40, 24), nn.Embedding(40, 24)
        self.places = nn.Parameter(0.1 * torch.randn(64, 24))
        self.encoder = nn.TransformerEncoderLayer(24, 4, 48, 0.0, batch_first=True)
        self.own, self.reader, self.out = Reader(triangle), Reader(hide), nn.Linear(24, 40)

    def forward(self, src, tgt):
        memory = self.encoder(self.long(src) + self.places[: src.shape[1]])
        x = self.short(tgt) + self.places[: tgt.shape[1]]
        x = x + self.own(x, x)
        return self.out(x + self.reader(x, memory))


def triangle(rows, columns):
    return torch.ones(rows, columns, dtype=torch.bool).triu(1)


def last_column(rows, columns):
    return torch.arange(columns)[None, :].expand(rows, -1) == columns - 1


def make(hide):
    torch.manual_seed(0)
    return Summariser(hide)


def test_a_causal_mask_over_the_source():
    finding = find(run_check(CHECK, make(triangle)), "T1-CROSS-003")
    assert finding.where == "reader"
    assert finding.evidence["count"] == 1


@pytest.mark.parametrize("hide", [None, last_column])
def test_masks_that_are_equal_for_all_targets(hide):
    assert alarms(run_check(CHECK, make(hide))) == []


def test_a_model_of_the_zoo():
    assert alarms(run_check(CHECK, build("seq2seq"))) == []
