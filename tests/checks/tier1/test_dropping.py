"""T1-DROP: stochastic depth along the wrong axis, and dropout that evaluation switches off for good."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import tierproof
from checks.planting import alarms, build_gpt, find, run_check
from tierproof.checks.tier1.dropping import CHECK
from tierproof.core.finding import Severity
from zoo.handwritten import CharGPT, build


class Residual(nn.Module):
    """A branch whose mask `draw` makes from the shape of the activation, which is (batch, length, width)."""

    def __init__(self, draw):
        super().__init__()
        self.words, self.branch, self.out = nn.Embedding(30, 16), nn.Linear(16, 16), nn.Linear(16, 30)
        self.draw = draw

    def forward(self, tokens):
        x = self.words(tokens)
        y = torch.tanh(self.branch(x))
        if self.training:
            y = y.mul(self.draw(y.shape))
        return self.out(x + y)


def by_row(shape):
    return torch.empty(shape[0], 1, 1).bernoulli_(0.7).div(0.7)


def by_position(shape):
    return torch.empty(1, shape[1], 1).bernoulli_(0.7).div(0.7)


def by_channel(shape):
    return (torch.rand(shape[-1]) > 0.3).expand(shape) / 0.7


def by_word(shape):
    return (torch.rand(*shape[:2], 1) > 0.3).float()


def by_row_and_channel(shape):
    return (torch.rand(shape[0], 1, shape[2]) > 0.3).float()


def always(shape):
    return (torch.arange(shape[1]) % 2).float()[None, :, None] + 0.0 * torch.rand(1)


def make(draw):
    torch.manual_seed(0)
    return Residual(draw)


@pytest.mark.parametrize(("draw", "axis"), [(by_position, 1), (by_channel, 2)])
def test_a_mask_along_another_axis(draw, axis):
    finding = find(run_check(CHECK, make(draw)), "T1-DROP-001")
    assert (finding.evidence["axis"], finding.evidence["batch_axis"]) == (axis, 0)


@pytest.mark.parametrize("draw", [by_row, by_word, by_row_and_channel, always])
def test_other_masks_are_left_alone(draw):
    assert alarms(run_check(CHECK, make(draw))) == []


class Forgetful(CharGPT):
    """Sets its rate to zero in evaluation and never back."""

    def train(self, mode=True):
        super().train(mode)
        if not mode:
            for module in self.modules():
                if isinstance(module, nn.Dropout):
                    module.p = 0.0
        return self


class Stuck(CharGPT):
    """Does not hand the mode on when it goes back to training."""

    def train(self, mode=True):
        if mode and not self.training:
            self.training = True
            return self
        return super().train(mode)


@pytest.mark.parametrize("kind", [Forgetful, Stuck])
def test_dropout_that_is_lost_after_evaluation(kind):
    # Through the API: the inputs are worked out in evaluation mode, and the model is put back before the check.
    (result,) = tierproof.check(build_gpt(kind), only=["T1-DROP"], progress=False).results
    assert [(f.code, f.severity) for f in result.findings] == [("T1-DROP-002", Severity.ERROR)]


@pytest.mark.parametrize("name", ["char_gpt", "mlp", "seq2seq"])
def test_models_of_the_zoo(name):
    assert alarms(run_check(CHECK, build(name))) == []
