"""Measure how much two tensors differ, relative to the spread of the first."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from tierproof.model.sizes.readable_values import make_dense

# Two runs of equal shapes agree to the last bit on the CPU; runs of different shapes sum in another order.
# What is left in fp32 is below 1e-5 of the spread on 130 healthy transformers models; half precision rounds
# at 2^-8 and 2^-11 in every layer.
_TOLERANCES = {torch.bfloat16: 5e-2, torch.float16: 1e-2}
_TOLERANCE = 1e-4
_PART = 1 << 18  # values


def find_tolerance(tensor: Tensor) -> float:
    """The change, relative to the spread, below which two tensors of this dtype count as equal."""
    return _TOLERANCES.get(tensor.dtype, _TOLERANCE)


def measure_spread(tensor: Tensor) -> float:
    """The standard deviation of the finite values; if it is zero, their largest magnitude."""
    count, total = 0, 0.0
    for values in _iterate_finite(tensor):
        count += values.numel()
        total += float(values.sum())
    if count == 0:
        return 0.0
    variance = (
        sum(float((values - total / count).square().sum()) for values in _iterate_finite(tensor)) / count
    )
    return variance**0.5 or max(float(values.abs().max()) for values in _iterate_finite(tensor))


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
    pairs = zip(_iterate_parts(base), _iterate_parts(moved), strict=True)
    difference = max(_measure_difference(first, second) for first, second in pairs)
    if difference == 0.0 or math.isinf(difference):
        return difference
    spread = measure_spread(base) if spread is None else spread
    return difference / max(spread, torch.finfo(torch.float32).tiny)


def _measure_difference(first: Tensor, second: Tensor) -> float:
    largest = float((first - second).abs().max())
    if math.isfinite(largest):
        return largest
    apart = (first != second) & ~(first.isnan() & second.isnan())
    differences = (first[apart] - second[apart]).abs()
    if not bool(differences.isfinite().all()):
        return math.inf
    return float(differences.max()) if differences.numel() else 0.0


def measure_change_along(base: Tensor, moved: Tensor, axis: int) -> list[float]:
    """`measure_change` for each index of `axis`, all relative to the spread of the whole of `base`."""
    spread = measure_spread(base)
    return [
        measure_change(base.select(axis, index), moved.select(axis, index), spread=spread)
        for index in range(base.shape[axis])
    ]


def _iterate_parts(tensor: Tensor) -> Iterator[Tensor]:
    """The values in float64, a part at a time: a whole copy of the logits of a language model outweighs the model."""
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    values = tensor.detach().reshape(-1)
    for start in range(0, values.numel(), _PART):
        yield values[start : start + _PART].double()


def _iterate_finite(tensor: Tensor) -> Iterator[Tensor]:
    for values in _iterate_parts(tensor):
        finite = values.isfinite()
        kept = values if bool(finite.all()) else values[finite]
        if kept.numel():
            yield kept
