"""Compute a scalar objective for any model, which depends on every differentiable output."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.describe.subject import Subject

# Inputs are drawn from the plain seed: targets from the same stream would equal the inputs.
TARGET_STREAM = 7919
# State that is returned for the next call, not an answer; by the names transformers and recurrent models use.
_CACHES = frozenset(
    {"past_key_values", "past_key_value", "cache_params", "past_buckets_states", "mems", "present", "presents",
     "cache", "kv_cache", "state"}
)  # fmt: skip


def collect_answers(output: Any) -> dict[str, Tensor]:
    """The floating-point tensors of an output by path, without caches; each tensor once."""
    answers: dict[str, Tensor] = {}
    seen: set[int] = set()
    for path, tensor in iterate_tensors(output):
        floating = tensor.is_floating_point() or tensor.is_complex()
        if not floating or tensor.numel() == 0 or id(tensor) in seen or _CACHES & set(path.split(".")):
            continue
        seen.add(id(tensor))
        answers[path] = tensor
    return answers


def find_differentiable(output: Any) -> frozenset[str]:
    """Paths of the answers that carry gradients."""
    return frozenset(path for path, tensor in collect_answers(output).items() if tensor.requires_grad)


def compute_objective(
    output: Any, subject: Subject, seed: int, *, paths: frozenset[str] | None = None
) -> Tensor:
    """Sum a loss over all differentiable answers.

    Logits get the cross entropy against random classes, and other answers the mean square error against random values
    (behind a normalisation, a plain sum would have no gradient). A loss that the model returns is added as it is.
    Equal seeds give equal targets.

    Args:
        output: what the model returned.
        subject: says which output is the answer and what role it has.
        seed: of the random targets.
        paths: of the answers that count, where the output carries no gradients; by default all of them.

    Returns:
        A scalar in at least float32. It has no `grad_fn` exactly when no answer has one.

    Raises:
        ValueError: when the output contains no floating-point tensor.
    """
    answers = collect_answers(output)
    if not answers:
        raise ValueError("the output contains no floating-point tensor")
    counted = find_differentiable(output) if paths is None else paths
    differentiable = {path: tensor for path, tensor in answers.items() if path in counted}
    generator = torch.Generator().manual_seed(seed + TARGET_STREAM)
    terms = []
    for path, tensor in (differentiable or answers).items():
        if path == subject.outputs.loss and tensor.numel() == 1:
            terms.append(tensor.reshape(()))
        elif path == subject.outputs.main and subject.outputs.role == "logits" and tensor.dim() >= 2:
            terms.append(_cross_entropy(tensor, generator))
        else:
            terms.append(_mean_square(tensor, generator))
    device, dtype = terms[0].device, max((term.dtype for term in terms), key=lambda d: torch.finfo(d).bits)
    return torch.stack([term.to(device, dtype) for term in terms]).sum()


def _cross_entropy(logits: Tensor, generator: torch.Generator) -> Tensor:
    rows = _at_least_float32(logits).flatten(0, -2)
    targets = torch.randint(rows.shape[-1], rows.shape[:1], generator=generator).to(rows.device)
    # A class ruled out with -inf cannot be a target: its loss is infinite by design.
    possible = rows.detach().gather(1, targets[:, None]).squeeze(1) > float("-inf")
    targets = torch.where(possible, targets, rows.detach().argmax(dim=-1))
    return F.cross_entropy(rows, targets)


def _mean_square(values: Tensor, generator: torch.Generator) -> Tensor:
    values = torch.view_as_real(values) if values.is_complex() else values
    values = _at_least_float32(values)
    values = torch.where(
        values.detach().isinf(), torch.zeros((), dtype=values.dtype, device=values.device), values
    )
    targets = torch.randn(values.shape, generator=generator).to(values)
    return F.mse_loss(values, targets)


def _at_least_float32(values: Tensor) -> Tensor:
    return values.float() if torch.finfo(values.dtype).bits < 32 else values
