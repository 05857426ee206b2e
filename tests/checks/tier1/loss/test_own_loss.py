"""T1-LOSS: the loss that a model computes itself, compared with a cross entropy of the logits it returns."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from checks.planting import alarms, build_gpt, find, run_check
from tierproof.checks.tier1.loss.loss import CHECK
from tierproof.core.finding import Severity
from zoo.handwritten import CharGPT, build


class Trained(CharGPT):
    """Returns its logits and its loss; the loss is computed by `measure`."""

    measure = staticmethod(F.cross_entropy)

    def forward(self, idx, targets=None):
        logits = super().forward(idx)
        if targets is None:
            return logits, None
        return logits, self.measure(logits.view(-1, logits.size(-1)), targets.view(-1))


def of_probabilities(logits, targets):
    return F.cross_entropy(logits.softmax(-1), targets)


def of_plain_likelihood(logits, targets):
    return F.nll_loss(logits.softmax(-1), targets)


def over_all_labels(logits, targets):
    return F.cross_entropy(logits, targets, reduction="sum") / targets.numel()


def with_half_a_gradient(logits, targets):
    return F.cross_entropy(0.5 * logits + 0.5 * logits.detach(), targets)


def with_root_of_zero(logits, targets):
    return F.cross_entropy(logits, targets) + (0 * logits).square().sum(-1).sqrt().sum()


def of_log_probabilities(logits, targets):
    return F.nll_loss(logits.log_softmax(-1), targets)


def smoothed(logits, targets):
    return F.cross_entropy(logits, targets, label_smoothing=0.1)


def with_other_ignored_label(logits, targets):
    return F.cross_entropy(logits, targets, ignore_index=-1)


def run(measure):
    class Measured(Trained):
        pass

    Measured.measure = staticmethod(measure)
    return run_check(CHECK, build_gpt(Measured))


@pytest.mark.parametrize(
    ("measure", "code", "severity"),
    [
        (of_probabilities, "T1-LOSS-011", Severity.WARNING),
        (of_plain_likelihood, "T1-LOSS-011", Severity.WARNING),
        (with_half_a_gradient, "T1-LOSS-012", Severity.WARNING),
        (over_all_labels, "T1-LOSS-013", Severity.WARNING),
        (with_root_of_zero, "T1-LOSS-010", Severity.ERROR),
    ],
)
def test_a_wrong_loss_is_named(measure, code, severity):
    finding = find(run(measure), code)
    assert finding.severity is severity
    assert finding.hint


@pytest.mark.parametrize(
    "measure", [F.cross_entropy, of_log_probabilities, smoothed, with_other_ignored_label]
)
def test_a_sound_loss_is_left_alone(measure):
    assert alarms(run(measure)) == []


def test_what_the_loss_is_computed_from_is_measured():
    assert run(F.cross_entropy).measurements["own_loss"] == "cross_entropy(logits)"
    assert "own_loss" not in run(smoothed).measurements


def test_the_gradients_that_are_lost_are_counted():
    (finding,) = [f for f in run(with_root_of_zero).findings if f.code == "T1-LOSS-010"]
    assert finding.where
    assert torch.isfinite(torch.tensor(finding.evidence["loss"]))


def test_a_model_of_the_zoo_with_a_loss():
    output = run_check(CHECK, build("nano_gpt"))
    assert alarms(output) == []
    assert output.measurements["own_loss"] == "cross_entropy(logits)"


class Tagger(torch.nn.Module):
    """Knows fewer classes than words."""

    def __init__(self, measure):
        super().__init__()
        self.words, self.head = torch.nn.Embedding(200, 16), torch.nn.Linear(16, 30)
        self.measure = measure

    def forward(self, ids, labels=None):
        logits = self.head(torch.tanh(self.words(ids)))
        return logits, None if labels is None else self.measure(logits.flatten(0, 1), labels.flatten())


def test_labels_are_drawn_from_the_classes():
    torch.manual_seed(0)
    assert find(run_check(CHECK, Tagger(of_probabilities)), "T1-LOSS-011")
    assert alarms(run_check(CHECK, Tagger(F.cross_entropy))) == []
