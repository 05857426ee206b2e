"""Read the values of a tensor of any kind as a plain one, for measures that look at numbers."""

from __future__ import annotations

import torch
from torch import Tensor

# Small floats have no kernels of their own, not even for a comparison.
_STORED_ONLY_BYTES = 1


def read_values(tensor: Tensor) -> Tensor | None:
    """The values as a plain strided tensor with kernels for arithmetic; None where they cannot be read.

    A sparse tensor gives its stored values, a nested one those of all rows, a quantised one what it stands for.
    Inside `torch.func.vmap` and on meta a tensor has no values of its own.
    """
    values = tensor.detach()
    if torch._C._functorch.is_functorch_wrapped_tensor(values) or values.is_meta:
        return None
    try:
        if values.is_nested:
            return torch.cat([row.flatten() for row in values.unbind()])
        if values.layout is torch.sparse_coo:
            values = values.coalesce().values()
        return make_dense(values)
    except (RuntimeError, NotImplementedError, TypeError):
        return None  # a class of tensors that does not support even this


def make_dense(tensor: Tensor) -> Tensor:
    """The same tensor with kernels for comparison and arithmetic: dense, not quantised, in no stored-only float."""
    if tensor.layout is not torch.strided and not tensor.is_nested:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    return tensor.float() if _is_stored_only(tensor) else tensor


def _is_stored_only(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.element_size() <= _STORED_ONLY_BYTES
