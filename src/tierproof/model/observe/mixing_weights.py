"""Measure weights that mix values, such as attention weights: their sums, and the share of the largest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def measure_sum_error(weights: Tensor, axes: Sequence[int]) -> float:
    """The largest |sum − 1| over `axes`, without rows that are entirely zero; infinite without axes."""
    if not axes:
        return float("inf")
    sums = weights.sum(dim=list(axes))
    sums = sums[sums != 0]
    return float((sums - 1).abs().max()) if sums.numel() else 0.0


def measure_largest_share(weights: Tensor, axes: Sequence[int]) -> float | None:
    """The largest weight along the one axis of `axes`, as a mean over the rows that see four entries or more.

    Returns:
        None for several axes, or if the axis has fewer than four entries.
    """
    if len(axes) != 1:
        return None
    seen = (weights > 0).sum(dim=axes[0])
    # Softmax of scores far apart underflows to zero: what is hidden is told by the row's place, not its value.
    size = weights.shape[axes[0]]
    wide = seen >= min(4, size) if bool((seen >= 4).any()) else torch.ones_like(seen, dtype=torch.bool)
    largest = weights.amax(dim=axes[0])[wide]
    return float(largest.mean()) if largest.numel() and size >= 4 else None
