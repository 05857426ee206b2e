"""T1-STAB-017: branches that the sum rounds away."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from checks.planting import build_gpt, run_check
from tierproof.checks.tier1.stability.stability import CHECK


class Weighted(nn.Module):
    """A layer whose result is multiplied by a weight that `weigh` computes from its input."""

    def __init__(self, inner, weigh):
        super().__init__()
        self.inner, self.weigh = inner, weigh
        self.gain = nn.Parameter(torch.full((32,), 1e-9))
        self.score = nn.Linear(32, 1)

    def forward(self, x):
        return self.inner(x) * self.weigh(self, x)


def below_epsilon(layer, x):
    scores = (layer.score(x) - 60).sigmoid()
    return scores / (scores + 1e-15)


def by_gain(layer, x):
    return layer.gain


def by_reshaped_gain(layer, x):
    return layer.gain.reshape(1, 1, -1)


def by_score(layer, x):
    return layer.score(x).sigmoid()


def by_nothing(layer, x):
    return torch.zeros(())


def plant(weigh):
    torch.manual_seed(0)
    model = build_gpt()
    for block in model.blocks:
        block.mlp = Weighted(block.mlp, weigh)
    return [f for f in run_check(CHECK, model).findings if f.code == "T1-STAB-017"]


def test_weights_far_below_the_epsilon_of_their_sum():
    (finding,) = plant(below_epsilon)
    assert finding.where == "blocks.0.mlp"
    assert finding.evidence["count"] == 3
    assert finding.evidence["share"] < finding.evidence["rounding"]


@pytest.mark.parametrize("weigh", [by_gain, by_reshaped_gain, by_score, by_nothing])
def test_gains_that_train_and_closed_gates_are_left_alone(weigh):
    assert plant(weigh) == []


class BiasedAttention(nn.Module):
    """Adds a learned bias to the scores, with −1e10 in it for what lies behind a window."""

    def __init__(self):
        super().__init__()
        self.tokens, self.head = nn.Embedding(40, 16), nn.Linear(16, 40)
        self.bias = nn.Parameter(torch.randn(32, 32))

    def forward(self, ids):
        x = self.tokens(ids)
        size = ids.shape[1]
        places = torch.arange(size)
        hidden = (places[:, None] - places[None, :]).abs() > 1
        bias = (self.bias[:size, :size] + torch.where(hidden, -1e10, 0.0)).expand(len(ids), -1, -1)
        scores = x @ x.transpose(1, 2)
        scores = scores + bias
        return self.head(x + scores.softmax(-1) @ x)


def test_scores_are_not_lost_in_a_bias_that_hides_most_keys():
    torch.manual_seed(0)
    codes = {finding.code for finding in run_check(CHECK, BiasedAttention()).findings}
    assert "T1-STAB-017" not in codes


class EmptyBranch(nn.Module):
    """Adds what two layers say of no row at all, as where no token is routed to an expert."""

    def __init__(self):
        super().__init__()
        self.tokens, self.one, self.other = nn.Embedding(40, 16), nn.Linear(16, 40), nn.Linear(16, 40)

    def forward(self, ids):
        x = self.tokens(ids)
        nobody = x[:0]
        return torch.cat([self.one(x), self.one(nobody) + self.other(nobody)])


def test_an_addition_of_nothing_is_passed_over():
    torch.manual_seed(0)
    codes = {finding.code for finding in run_check(CHECK, EmptyBranch()).findings}
    assert "T1-STAB-017" not in codes
