"""Read off the gradient of the scores which target each place was trained on, and how much it weighed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from tierproof.training.audit.recording.live_tensors import mark_as_own
from tierproof.training.audit.recording.step_record import OutputUse

# The share of the negative gradient that the target has at least; label smoothing takes up to the rest.
_LEAST_SHARE = 0.7
# Where the model is surer than this of the target, its weight cannot be told from rounding.
_LEAST_DOUBT = 1e-3
_NO_TARGET, _NO_CROSS_ENTROPY = -1, -2


def list_outputs(output: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """(path, tensor) of the differentiable scores in a model's answer: at least two axes, two or more in the last."""
    if isinstance(output, Tensor):
        if output.requires_grad and output.dim() >= 2 and output.shape[-1] >= 2:
            yield path, output
    elif isinstance(output, Mapping):
        for key, value in output.items():
            yield from list_outputs(value, f"{path}.{key}" if path else str(key))
    elif isinstance(output, list | tuple):
        for index, value in enumerate(output):
            yield from list_outputs(value, f"{path}.{index}" if path else str(index))
    elif dataclasses.is_dataclass(output) or isinstance(output, SimpleNamespace):
        for key, value in vars(output).items():
            yield from list_outputs(value, f"{path}.{key}" if path else key)


def read_output_use(forward: int, path: str, scores: Tensor, gradient: Tensor) -> OutputUse:
    """What a loss made of `scores`, from its gradient of the same shape."""
    with torch.no_grad(), torch._C.DisableTorchFunction():
        slope = gradient.detach().float()
        reached = slope.abs().amax(-1) > 0
        negative = slope.clamp(max=0)
        most, target = negative.min(-1)
        share = most / negative.sum(-1).clamp(max=-1e-45)
        balanced = slope.sum(-1).abs() <= 1e-3 * slope.abs().sum(-1)
        # The gradient by log-probabilities has one entry only.
        single = (slope != 0).sum(-1) == 1
        fits = (share >= _LEAST_SHARE) & (balanced | single)
        targets = torch.where(fits, target, _NO_CROSS_ENTROPY).where(reached, _NO_TARGET)
        chance = scores.detach().float().softmax(-1).gather(-1, target[..., None])[..., 0]
        doubt = torch.where(single, torch.ones_like(chance), 1 - chance)
        weights = torch.where(doubt > _LEAST_DOUBT, -most / doubt, torch.nan).where(
            reached, torch.zeros_like(most)
        )
    kept = (targets.cpu(), weights.cpu(), reached.cpu())
    for each in kept:
        mark_as_own(each)
    return OutputUse(forward, path, tuple(scores.shape), *kept)
