"""Change inputs of real values: images, audio, features over time."""

from __future__ import annotations

import torch
from torch import Tensor


def add_noise(values: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise; its standard deviation is `strength` times that of the values."""
    noise = torch.randn(values.shape, generator=generator, device="cpu").to(values)
    return values + strength * _measure_spread(values) * noise if strength else values.clone()


def brighten(values: Tensor, strength: float) -> Tensor:
    """Add `strength` standard deviations to every value."""
    return values + strength * _measure_spread(values)


def shift_along(values: Tensor, axis: int, strength: float) -> Tensor:
    """Move the values along an axis by a share of its size, at least one place; the edge is repeated.

    A strength of 0 moves nothing.
    """
    size = values.shape[axis]
    steps = min(max(round(abs(strength) * size), 1), size - 1) if strength else 0
    index = (torch.arange(size, device=values.device) - steps).clamp(min=0)
    return values.index_select(axis, index)


def _measure_spread(values: Tensor) -> float:
    return float(values.detach().float().std(correction=0))
