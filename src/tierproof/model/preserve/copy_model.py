"""Copy a model: with new module and tensor objects over the same memory, or with its own values."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


def copy_sharing_values(model: nn.Module) -> nn.Module:
    """`copy.deepcopy`, but the new parameters and buffers use the original's memory, so it costs none.

    A check can convert, wrap or reconfigure the copy, and tell its parameters from the original's. In-place writes
    by the copy's forward pass also change the original.

    Raises:
        Exception: what `copy.deepcopy` raises, for instance for a lock or a non-leaf tensor.
    """
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        if type(tensor) in (nn.Parameter, Tensor) and tensor.is_leaf and tensor.layout is torch.strided:
            memo[id(tensor)] = _alias(tensor)
    return copy.deepcopy(model, memo)


def copy_owning_values(model: nn.Module) -> nn.Module:
    """`copy.deepcopy`: changes to the copy's parameters do not reach the original.

    Raises:
        Exception: what `copy.deepcopy` raises.
    """
    return copy.deepcopy(model)


def _alias(tensor: Tensor) -> Tensor:
    shared: Tensor = tensor.detach()
    if isinstance(tensor, nn.Parameter):
        shared = nn.Parameter(shared, requires_grad=tensor.requires_grad)
    vars(shared).update(vars(tensor))
    return shared
