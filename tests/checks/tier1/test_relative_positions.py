"""T1-ROPE: rotations of one side, of both, of a part, and of longer vectors."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import alarms, run_check
from tierproof.checks.tier1.relative_positions import CHECK


def turn(x, *, width=None, shift=0):
    """Rotate the first `width` features by the positions."""
    width = width or x.shape[-1]
    turned, kept = x[..., :width], x[..., width:]
    frequencies = 1 / 100 ** (torch.arange(0, width, 2) / width)
    angles = (torch.arange(x.shape[1])[:, None] + shift) * frequencies
    first, second = turned.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((first * cos - second * sin, second * cos + first * sin, kept), -1)


class Rotated(nn.Module):
    """One causal attention whose queries, keys and values go through functions."""

    def __init__(self, query, key, value=lambda v: v):
        super().__init__()
        self.words, self.mix, self.head = nn.Embedding(40, 32), nn.Linear(32, 96), nn.Linear(32, 40)
        self.turns = (query, key, value)

    def forward(self, ids):
        parts = self.mix(self.words(ids)).chunk(3, -1)
        q, k, v = (change(part) for change, part in zip(self.turns, parts, strict=True))
        hidden = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).triu(1)
        weights = (q @ k.transpose(1, 2) / 32**0.5).masked_fill(hidden, float("-inf")).softmax(-1)
        return self.head(weights @ v)


def keep(x):
    return x


def turn_a_part(x):
    return turn(x, width=16)


def turn_from_a_shift(x):
    return turn(x, shift=5)


def codes(*turns):
    torch.manual_seed(0)
    return {finding.code for finding in alarms(run_check(CHECK, Rotated(*turns)))}


@pytest.mark.parametrize(
    ("turns", "code"),
    [
        ((turn, keep), "T1-ROPE-001"),
        ((keep, turn), "T1-ROPE-001"),
        ((turn, turn_a_part), "T1-ROPE-002"),
        ((turn, turn, turn), "T1-ROPE-003"),
    ],
)
def test_rotations_that_do_not_match_are_found(turns, code):
    assert code in codes(*turns)


@pytest.mark.parametrize(
    "turns", [(turn, turn), (turn_a_part, turn_a_part), (turn_from_a_shift, turn), (turn_from_a_shift,) * 2]
)
def test_rotations_by_the_distance_are_silent(turns):
    assert codes(*turns) == set()
