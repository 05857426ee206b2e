"""The first module that is given something and returns nothing but zeros."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tierproof.model.call import Call
from tierproof.model.module_watch import find_first, watch_modules
from tierproof.model.subject import Subject


def find_silent_module(subject: Subject, call: Call, seed: int) -> str | None:
    """The innermost module with a non-zero input whose outputs are exactly zero throughout; None without one."""
    torch.manual_seed(seed)
    with torch.no_grad(), watch_modules(subject.model, _is_silent) as observations:
        subject.forward(call)
    first = find_first(observations, lambda silent: not silent, lambda silent: silent)
    return first.path if first is not None else None


def _is_silent(tensors: Sequence[Tensor]) -> bool:
    floating = [tensor for tensor in tensors if tensor.is_floating_point() and tensor.numel()]
    return bool(floating) and not any(bool(tensor.any()) for tensor in floating)
