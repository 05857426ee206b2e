"""A leak of targets into the outputs: an error where they make a loss, a warning where only a name says so."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tierproof as tp
from tierproof.core.finding import Severity
from zoo.handwritten import CharGPT


class Leaking(CharGPT):
    """Adds its targets to its input: they reach the output of their own position."""

    body = CharGPT.forward

    def leak(self, ids, targets):
        if targets is None:
            return self.body(ids)
        kept = self.token.weight
        return self.body(ids) + F.embedding(targets, kept) @ kept.T


class WithLoss(Leaking):
    def forward(self, ids, targets=None):
        logits = self.leak(ids, targets)
        loss = None if targets is None else F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        return logits, loss


class WithoutLoss(Leaking):
    def forward(self, ids, targets=None):
        return self.leak(ids, targets)


class Required(Leaking):
    """A second input that happens to be called `targets`."""

    def forward(self, ids, targets):
        return self.leak(ids, targets)


class OnlyInput(CharGPT):
    body = CharGPT.forward

    def forward(self, labels):
        return self.body(labels)


def judge(model: nn.Module) -> dict[str, tp.Finding]:
    report = tp.check(model, only=["T1-TARGET"], progress=False)
    return {finding.code: finding for finding in report.findings}


@pytest.mark.parametrize("kind", [WithLoss, WithoutLoss])
def test_a_leak_is_an_error_only_with_a_loss(kind):
    torch.manual_seed(0)
    leak = judge(kind())["T1-TARGET-002"]
    fact = next(fact for fact in leak.rests_on if fact.name == "targets")
    if kind is WithLoss:
        assert (leak.severity, fact.standing.value) == (Severity.ERROR, "measured")
    else:
        assert (leak.severity, fact.standing.value) == (Severity.WARNING, "assumed")
        assert "return the loss beside the logits" in leak.hint


@pytest.mark.parametrize("kind", [Required, OnlyInput])
def test_an_input_is_no_target_by_its_name(kind):
    torch.manual_seed(0)
    assert "T1-TARGET-002" not in judge(kind())
