"""T1-ATTN-009: a softmax over one axis whose weights are summed over another."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import alarms, find, run_check
from tierproof.checks.tier1.attention import CHECK


def by_einsum(weights, values):
    return torch.einsum("bth,bthd->bhd", weights, values)


def by_a_sum(weights, values):
    return (weights.unsqueeze(-1) * values).sum(1)


class Pooling(nn.Module):
    """Each head pools the whole sequence with weights of its own, and every position reads the result."""

    def __init__(self, pool, axis):
        super().__init__()
        self.words, self.weigh, self.head = nn.Embedding(40, 32), nn.Linear(32, 4), nn.Linear(32, 40)
        self.pool, self.axis = pool, axis

    def forward(self, ids):
        x = self.words(ids)
        pooled = self.pool(self.weigh(x).softmax(self.axis), x.unflatten(-1, (4, 8)))
        return self.head(torch.tanh(x) * pooled.flatten(1).unsqueeze(1))


class Slots(Pooling):
    """Assigns each position to slots, whose sums grow with the length by design, as clusters do."""

    def forward(self, ids):
        x = self.words(ids)
        slots = torch.einsum("btk,btd->bkd", self.weigh(x).softmax(-1), x)
        return self.head(torch.tanh(x) * torch.tanh(slots.mean(1, keepdim=True)))


@pytest.mark.parametrize("pool", [by_einsum, by_a_sum])
def test_weights_over_the_heads_that_pool_positions(pool):
    torch.manual_seed(0)
    assert find(run_check(CHECK, Pooling(pool, -1)), "T1-ATTN-009").evidence["sum_error_over_positions"] > 0.1
    assert alarms(run_check(CHECK, Pooling(pool, 1))) == []


def test_an_assignment_to_slots_is_another_thing():
    torch.manual_seed(0)
    assert alarms(run_check(CHECK, Slots(None, -1))) == []
