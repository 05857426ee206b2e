"""Measure how much two tensors differ, relative to the spread of the first."""

from __future__ import annotations

import torch
from torch import Tensor

from tierproof.model.sizes.readable_values import make_dense

# Two runs of equal shapes agree to the last bit on the CPU; runs of different shapes sum in another order.
# What is left in fp32 is below 1e-5 of the spread on 130 healthy transformers models; half precision rounds
# at 2^-8 and 2^-11 in every layer.
_TOLERANCES = {torch.bfloat16: 5e-2, torch.float16: 1e-2}
_TOLERANCE = 1e-4


def find_tolerance(tensor: Tensor) -> float:
    """The change, relative to the spread, below which two tensors of this dtype count as equal."""
    return _TOLERANCES.get(tensor.dtype, _TOLERANCE)


def measure_spread(tensor: Tensor) -> float:
    """The standard deviation of the finite values; if it is zero, their largest magnitude."""
    values = _as_real(tensor)
    values = values[values.isfinite()]
    if values.numel() == 0:
        return 0.0
    spread = float(values.std(correction=0))
    return spread if spread > 0 else float(values.abs().max())


def measure_change(base: Tensor, moved: Tensor, *, spread: float | None = None) -> float:
    """The largest difference relative to the spread of `base`; infinite if shapes or NaNs differ.

    Equal infinities count as equal. Integers and booleans differ by 0 or by infinity.
    """
    if base.shape != moved.shape:
        return float("inf")
    base, moved = make_dense(base), make_dense(moved)
    if base.numel() == 0 or torch.equal(base, moved):
        return 0.0
    if not (base.is_floating_point() or base.is_complex()):
        return float("inf")
    spread = measure_spread(base) if spread is None else spread
    first, second = _as_real(base), _as_real(moved)
    apart = (first != second) & ~(first.isnan() & second.isnan())
    if not bool(apart.any()):
        return 0.0
    difference = (first[apart] - second[apart]).abs()
    if not bool(difference.isfinite().all()):
        return float("inf")
    return float(difference.max()) / max(spread, torch.finfo(torch.float32).tiny)


def measure_change_along(base: Tensor, moved: Tensor, axis: int) -> list[float]:
    """`measure_change` for each index of `axis`, all relative to the spread of the whole of `base`."""
    spread = measure_spread(base)
    return [
        measure_change(base.select(axis, index), moved.select(axis, index), spread=spread)
        for index in range(base.shape[axis])
    ]


def _as_real(tensor: Tensor) -> Tensor:
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    return tensor.detach().double()
