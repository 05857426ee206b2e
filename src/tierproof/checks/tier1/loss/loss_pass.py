"""One pass of a model with targets: its own loss, the logits returned with it, and the gradients of both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.checks.tier1.loss.target_call import find_loss
from tierproof.model.call.call import Call
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.describe.subject import Subject
from tierproof.model.sizes.extremes import is_finite


@dataclass(frozen=True)
class OwnLoss:
    """One pass with targets: the loss, the logits that were returned with it, and both kinds of gradients."""

    targets: Tensor
    value: Tensor
    logits: Tensor
    at_logits: Tensor | None
    broken: tuple[str, ...]


def run_with_targets(subject: Subject, name: str, call: Call, seed: int) -> OwnLoss | None:
    """The loss and its gradients; None where the model gives no loss beside logits for each position."""
    torch.manual_seed(seed)
    parameters = {key: p for key, p in subject.model.named_parameters() if p.requires_grad}
    try:
        with torch.enable_grad():
            tensors = dict(iterate_tensors(call.run(subject.model)))
    except Exception:  # noqa: BLE001 - targets of another kind than drawn here, which T1-LOSS measures
        return None
    value, logits = find_loss(tensors), tensors.get(subject.outputs.main)
    targets = call.tensors[name]
    if value is None or logits is None or not (value.requires_grad and logits.requires_grad):
        return None
    if logits.dim() != 3 or logits.shape[:2] != targets.shape or not bool(value.detach().isfinite().all()):
        return None
    asked = [logits, *parameters.values()]
    at_logits, *gradients = torch.autograd.grad(value.reshape(()), asked, allow_unused=True)
    broken = tuple(
        key
        for key, gradient in zip(parameters, gradients, strict=True)
        if gradient is not None and not is_finite(gradient.to_dense())
    )
    return OwnLoss(targets, value.detach().reshape(()), logits.detach(), at_logits, broken)


def pair_with_targets(logits: Tensor, targets: Tensor, distance: int) -> tuple[Tensor, Tensor]:
    """Rows of logits with the targets that stand `distance` positions later."""
    kept = logits.shape[1] - distance
    return logits[:, :kept].flatten(0, 1).double(), targets[:, distance:].flatten()
