"""A copy of a model with modules and tensors of its own, whose values still lie in the same memory."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn


def copy_sharing_values(model: nn.Module) -> nn.Module:
    """`copy.deepcopy`, but parameters and buffers are new objects over the old memory: it costs no memory.

    So a check can convert, wrap or re-configure the copy, and tell its parameters from the original's. What
    the copy's forward pass writes in place shows in the original too, as if the original had run.

    Raises:
        Exception: what `copy.deepcopy` raises, for a lock or a non-leaf tensor, say.
    """
    memo: dict[int, Any] = {}
    for tensor in (*model.parameters(), *model.buffers()):
        if type(tensor) in (nn.Parameter, Tensor) and tensor.is_leaf and tensor.layout is torch.strided:
            memo[id(tensor)] = _alias(tensor)
    return copy.deepcopy(model, memo)


def copy_owning_values(model: nn.Module) -> nn.Module:
    """`copy.deepcopy`: what the copy's parameters are changed to, the original does not see.

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
