"""T1-PAD-007 and 008: what hiding positions does to numbers and to the positions of the others."""

from __future__ import annotations

import pytest
import torch

from checks.planting import alarms, find, run_check
from faults.masks import Encoder
from tierproof.checks.tier1.padding.padding import CHECK


class Causal(Encoder):
    """A causal model that takes a padding mask; its positions count from the first token or from the padding."""

    counts_padding = False

    def __init__(self):
        super().__init__()
        self.out = torch.nn.Linear(32, 40)

    def forward(self, input_ids, attention_mask=None):
        length = input_ids.shape[1]
        places = torch.arange(length)[None]
        if attention_mask is not None and not self.counts_padding:
            places = (attention_mask.long().cumsum(1) - 1).clamp(min=0)
        x = self.embed(input_ids) + self.position(places)
        shown = torch.ones(length, length, dtype=torch.bool).tril()[None]
        if attention_mask is not None:
            shown = shown & attention_mask.bool()[:, None, :]
        hidden = torch.zeros(shown.shape).masked_fill(~shown, torch.finfo(torch.float32).min)
        hidden = hidden.repeat_interleave(4, 0) if hidden.shape[0] > 1 else hidden[0]
        return self.out(x + self.first(x, x, x, attn_mask=hidden, need_weights=False)[0])


class Counting(Causal):
    counts_padding = True


class CallersPositions(Counting):
    """Leaves the positions to the caller."""

    def forward(self, input_ids, attention_mask=None, position_ids=None):
        return super().forward(input_ids, attention_mask)


class CountingEncoder(Encoder):
    """An encoder is padded on the right, where positions stay what they are."""


class AfterTheSoftmax(Encoder):
    """Adds −inf to the weights instead of the scores."""

    def mix(self, x, hidden):
        weights = (x @ x.transpose(1, 2) / 32**0.5).softmax(-1)
        if hidden is not None:
            weights = weights + torch.zeros(weights.shape).masked_fill(hidden[:, None], float("-inf"))
        return x + weights @ x


def run(kind):
    torch.manual_seed(0)
    return run_check(CHECK, kind())


def test_positions_that_count_left_padding():
    assert find(run(Counting), "T1-PAD-008").where == "position"


@pytest.mark.parametrize("kind", [Causal, CallersPositions, CountingEncoder])
def test_positions_that_do_not_or_need_not(kind):
    assert alarms(run(kind)) == []


def test_hidden_positions_that_make_the_others_infinite():
    finding = find(run(AfterTheSoftmax), "T1-PAD-007")
    assert finding.hint.startswith("Add −inf to the scores before the softmax")
