"""Bring a tensor that the user gave to another size, in its own pattern, or draw its values anew."""

from __future__ import annotations

import torch
from torch import Tensor


def resize_sample(values: Tensor, shape: tuple[int, ...], *, continues: bool) -> Tensor:
    """Repeat or cut a sample along the axes whose size changes.

    Args:
        continues: for masks: a square pattern that depends on the distance alone (a triangle, a band) is continued by
            distance; repeated, it would hide other positions than it was made for.
    """
    if continues and _is_square(values.shape) and _is_square(shape) and _depends_on_distance(values):
        values = _continue_by_distance(values, shape[-1])
    for axis, size in enumerate(shape):
        if size != values.shape[axis]:
            values = values.index_select(axis, torch.arange(size) % values.shape[axis])
    return values


def redraw_sample(values: Tensor, generator: torch.Generator, *, across: bool) -> Tensor:
    """Draw other values of the same domain: each from those that the sample holds; floats with its mean and spread.

    Args:
        across: whether values may change places along every axis, not only among rows: a column may have its range.
    """
    if values.dtype is torch.bool or values.numel() < 2:
        return values
    if values.dtype.is_floating_point:
        plain = values.float()
        drawn = plain.mean() + plain.std() * torch.randn(values.shape, generator=generator)
        return drawn.clamp(plain.min(), plain.max()).to(values.dtype)
    if across:
        index = torch.randint(values.numel(), values.shape, generator=generator)
        return values.reshape(-1)[index]
    return values.gather(0, torch.randint(values.shape[0], values.shape, generator=generator))


def _is_square(shape: tuple[int, ...]) -> bool:
    return len(shape) >= 2 and shape[-1] == shape[-2] and shape[-1] > 1


def _depends_on_distance(values: Tensor) -> bool:
    return torch.equal(values[..., 1:, 1:], values[..., :-1, :-1])


def _continue_by_distance(values: Tensor, size: int) -> Tensor:
    known = values.shape[-1]
    distance = (torch.arange(size)[None, :] - torch.arange(size)[:, None]).clamp(1 - known, known - 1)
    rows, columns = (-distance).clamp(min=0), distance.clamp(min=0)
    return values[..., rows, columns]
