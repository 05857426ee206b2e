"""Judge which labels a cross entropy sums, and by which number of labels it divides."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tierproof.checks.tier1.loss.loss_pass import OwnLoss, pair_with_targets, run_with_targets
from tierproof.core.finding import Finding, Severity
from tierproof.core.standing import Standing
from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import LENGTH
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.describe.subject import Subject

CODE = "T1-LOSS"
_HIDDEN = 3
_SAME = 1e-3


def judge_divisor(own: OwnLoss) -> list[Finding]:
    """A cross entropy of shifted labels that is divided by the number of labels before the shift.

    The value alone may be right by chance, so the gradient at the logits must be off by the same factor. Sums, and
    means over rows, are left alone.
    """
    rows, length = own.targets.shape
    if own.at_logits is None or length < 3:
        return []
    leaf = own.logits.double().requires_grad_()
    with torch.enable_grad():
        mean = F.cross_entropy(*pair_with_targets(leaf, own.targets, 1))
        (expected,) = torch.autograd.grad(mean, leaf)
    factor = (length - 1) / length
    found = float(own.value) / float(mean.detach())
    difference = torch.linalg.vector_norm(own.at_logits.double() - factor * expected)
    if abs(found - factor) > _SAME / length or float(difference) > _SAME * float(
        torch.linalg.vector_norm(expected)
    ):
        return []
    return [
        Finding(
            f"{CODE}-014",
            Severity.WARNING,
            f"The loss adds up {rows * (length - 1)} labels but divides by {rows * length}: it also counts the first "
            "label of each row, which no position predicts. Loss and gradient are too small.",
            "",
            {"summed_labels": rows * (length - 1), "divided_by": rows * length},
            "Divide by the number of labels that remain after the shift.",
        )
    ]


def judge_padded_labels(subject: Subject, name: str, call: Call, seed: int, distance: int) -> list[Finding]:
    """Labels at positions that the padding mask hides: they must not be summed, nor counted.

    Only a causal model is given its own input as labels. Others, and models of the transformers library, leave it to
    the caller to set labels of padding to -100.
    """
    inputs = subject.inputs
    if subject.traits.kind != "causal-lm":
        return []
    targets = call.tensors[name]
    if (
        not inputs.padding
        or inputs.padding_standing is Standing.ASSUMED
        or is_transformers_model(subject.model)
    ):
        return []
    mask = inputs.argument(inputs.padding)
    given = call.tensors.get(mask.name)
    if mask.shape != ("batch", LENGTH) or given is None or given.shape != targets.shape:
        return []
    visible = targets.shape[1] - _HIDDEN
    if visible < 3:
        return []
    hidden = given.clone()
    hidden[:, visible:] = 0 if mask.role == "mask" else 1
    masked = call.with_argument(mask.name, hidden)
    # The last visible position may predict the first hidden label: some leave that in.
    other = targets.clone()
    other[:, visible + distance :] = targets[:, : _HIDDEN - distance]
    passes = [
        run_with_targets(subject, name, masked.with_argument(name, labels), seed)
        for labels in (targets, other)
    ]
    first, second = passes
    if first is None or second is None or first.broken or second.broken:
        return []
    kept = F.cross_entropy(*pair_with_targets(first.logits[:, :visible], targets[:, :visible], distance))
    summed = abs(float(first.value) - float(second.value)) > _SAME * abs(float(kept))
    share = float(first.value) / float(kept)
    if summed:
        what = (
            f"The loss changes with labels that `{mask.name}` hides, so it trains on padding unless the "
            "caller sets these labels to -100."
        )
    elif abs(share - visible / targets.shape[1]) <= _SAME:
        what = f"The loss also counts labels that `{mask.name}` hides: it is {share:.2f} times the mean of the others."
    else:
        return []
    return [
        Finding(
            f"{CODE}-015",
            Severity.WARNING,
            what,
            "",
            {"hidden_positions": _HIDDEN, "share_of_mean_over_visible": share},
            f"Before the loss, set the labels to -100 at the positions that `{mask.name}` hides.",
        )
    ]
