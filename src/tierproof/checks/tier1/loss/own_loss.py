"""Compare the loss that a model computes itself, and its gradient at the logits, with a cross entropy of the logits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.loss.loss_pass import OwnLoss, pair_with_targets, run_with_targets
from tierproof.checks.tier1.loss.loss_terms import judge_divisor, judge_padded_labels
from tierproof.checks.tier1.loss.target_call import make_target_call
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject

CODE = "T1-LOSS"
# Sums in another order; a loss that is another function of the logits differs by far more.
_SAME_VALUE = 1e-5
_SAME_GRADIENT = 1e-3
# A gradient in half precision is rounded in each entry.
_ROUNDINGS = 4.0
_IGNORED = -100


@dataclass(frozen=True)
class _Reading:
    """One way in which a loss may be computed from logits and targets."""

    words: str
    sound: bool
    compute: Callable[[Tensor, Tensor], Tensor]


def _read_probabilities(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.softmax(-1), targets)


def _read_plain_likelihood(logits: Tensor, targets: Tensor) -> Tensor:
    return F.nll_loss(logits.softmax(-1), targets)


_READINGS = (
    _Reading("cross_entropy(logits)", True, F.cross_entropy),
    _Reading("cross_entropy(softmax(logits))", False, _read_probabilities),
    _Reading("nll_loss(softmax(logits))", False, _read_plain_likelihood),
)


def judge_own_loss(subject: Subject, seed: int, measured: MutableMapping[str, JsonValue]) -> list[Finding]:
    """Judge the loss of a token model that takes targets and returns logits beside its loss."""
    found = make_target_call(subject, seed)
    if found is None:
        return []
    name, call = found
    own = run_with_targets(subject, name, call, seed)
    if own is None:
        return []
    if own.broken:
        return [_report_broken(own)]
    match = _find_reading(own)
    if match is None:
        return judge_divisor(own)
    reading, distance = match
    measured["own_loss"] = reading.words
    if not reading.sound:
        return [_report_probabilities(reading)]
    wrong = _measure_gradient_error(own, reading, distance)
    if wrong is not None and wrong > max(_SAME_GRADIENT, _ROUNDINGS * torch.finfo(own.logits.dtype).eps):
        return [_report_gradient(wrong)]
    return _judge_ignored(subject, name, call, seed, distance) + judge_padded_labels(
        subject, name, call, seed, distance
    )


def _find_reading(own: OwnLoss) -> tuple[_Reading, int] | None:
    """The reading whose value the loss has, if it is only one."""
    found = list(_find_readings(own))
    return found[0] if len({reading.words for reading, _ in found}) == 1 else None


def _find_readings(own: OwnLoss) -> Iterator[tuple[_Reading, int]]:
    for reading in _READINGS:
        for distance in (0, 1):
            expected = reading.compute(*pair_with_targets(own.logits, own.targets, distance))
            if abs(float(expected) - float(own.value)) <= _SAME_VALUE * abs(float(expected)):
                yield reading, distance


def _measure_gradient_error(own: OwnLoss, reading: _Reading, distance: int) -> float | None:
    """The distance between the gradient at the logits and that of the reading, relative to the latter."""
    if own.at_logits is None:
        return None  # the loss is computed from other tensors than those that are returned
    leaf = own.logits.double().requires_grad_()
    with torch.enable_grad():
        expected_loss = reading.compute(*pair_with_targets(leaf, own.targets, distance))
        (expected,) = torch.autograd.grad(expected_loss, leaf)
    difference = torch.linalg.vector_norm(own.at_logits.double() - expected)
    return float(difference / torch.linalg.vector_norm(expected))


def _judge_ignored(subject: Subject, name: str, call: Call, seed: int, distance: int) -> list[Finding]:
    """Ignore every other label: the loss must be the mean over the others."""
    ignored = call.tensors[name].clone()
    ignored[:, ::2] = _IGNORED
    own = run_with_targets(subject, name, call.with_argument(name, ignored), seed)
    if own is None:
        return []
    expected = F.cross_entropy(*pair_with_targets(own.logits, ignored, distance), ignore_index=_IGNORED)
    share = float(own.value) / float(expected)
    if abs(share - 1) <= _SAME_GRADIENT:
        return []
    return [
        Finding(
            f"{CODE}-013",
            Severity.WARNING,
            f"With half of the labels set to {_IGNORED}, the loss is {share:.2f} times the mean over the other labels: "
            "it also counts the ignored positions.",
            "",
            {"loss": float(own.value), "mean_over_kept": float(expected), "ignored_label": _IGNORED},
            f"Divide the sum of the losses by the number of labels that are not {_IGNORED}, as `cross_entropy` does "
            "with `reduction='mean'`.",
        )
    ]


def _report_broken(own: OwnLoss) -> Finding:
    first = own.broken[0]
    return claim_error(
        f"{CODE}-010",
        f"The model's own loss is finite ({float(own.value):.4g}), but the gradients of {len(own.broken)} parameters "
        "are NaN or infinite.",
        first.rpartition(".")[0],
        {"parameters": list(own.broken[:8]), "loss": float(own.value)},
        "Add an epsilon to `sqrt`, `norm`, `log` or a division in the loss, and clamp what `torch.where` discards.",
        rests_on=Basis.INPUTS,
    )


def _report_probabilities(reading: _Reading) -> Finding:
    return Finding(
        f"{CODE}-011",
        Severity.WARNING,
        f"The loss is `{reading.words}`: it is computed from probabilities instead of "
        f"{'logits' if 'cross' in reading.words else 'log-probabilities'}, so its gradient is small where the model "
        "is wrong.",
        "",
        {"computed": reading.words},
        "Pass the logits themselves to `cross_entropy`, or their `log_softmax` to `nll_loss`.",
    )


def _report_gradient(wrong: float) -> Finding:
    return Finding(
        f"{CODE}-012",
        Severity.WARNING,
        "The loss has the value of a cross entropy, but its gradient with respect to the logits is wrong: it differs "
        f"from (softmax − target) / number of targets by {wrong:.1%}.",
        "",
        {"relative_error": wrong},
        "Look for a `detach`, a clamp or a second term between the logits and the loss.",
    )
