"""Cut an input into the pieces that get one score each: tokens, stretches of positions, cells of an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tierproof.model.call.input_plan import LENGTH, TARGET_LENGTH, Argument

_CHANNELS = (1, 3, 4)
# Where no patch size tells: enough cells to see a place, few enough to leave each out in turn.
_CELLS_PER_SIDE = 8


@dataclass(frozen=True)
class InputUnits:
    """The pieces of one input.

    Attributes:
        numbers: for each position (tokens) or element (floats), the number of its piece; −1 for no piece.
        pieces: what each piece is, in words.
        grid: frames, rows and columns of an image's pieces; empty for others.
        channel_axis: of an image; None for others.
        cell: height and width of an image's pieces in pixels, those at the end aside; 0 for others.
    """

    numbers: Tensor
    pieces: tuple[str, ...]
    grid: tuple[int, ...] = ()
    channel_axis: int | None = None
    cell: int = 0


def cut_tokens(count: int, texts: tuple[str, ...], most: int) -> InputUnits:
    """One piece for each token, or for a few neighbours where there are more than `most` tokens."""
    span = math.ceil(count / most)
    numbers = torch.arange(count) // span
    named = texts if len(texts) == count else tuple(str(place) for place in range(count))
    pieces = tuple(
        "".join(named[start : start + span])
        if len(texts) == count
        else _name_stretch(start, min(span, count - start))
        for start in range(0, count, span)
    )
    return InputUnits(numbers, pieces)


def cut_floats(argument: Argument, value: Tensor, model: nn.Module, most: int) -> InputUnits:
    """The pieces of an input of one row that is no token: cells of an image, else stretches of its positions."""
    axes = [axis for axis, size in enumerate(argument.shape) if size != "batch"]
    if len(axes) >= 3 and argument.role in ("image", "floats"):
        cells = _cut_image(value, axes, model, most)
        if cells is not None:
            return cells
    named = [axis for axis in axes if argument.shape[axis] in (LENGTH, TARGET_LENGTH)]
    axis = named[0] if named else max(axes, key=lambda each: value.shape[each], default=None)
    if axis is None:
        return InputUnits(torch.zeros(value.shape, dtype=torch.long), ("0",))
    count = value.shape[axis]
    span = math.ceil(count / most)
    shape = [1] * value.dim()
    shape[axis] = count
    numbers = (torch.arange(count) // span).reshape(shape).expand(value.shape)
    pieces = tuple(_name_stretch(start, min(span, count - start)) for start in range(0, count, span))
    return InputUnits(numbers, pieces)


def _cut_image(value: Tensor, axes: list[int], model: nn.Module, most: int) -> InputUnits | None:
    channels = [axis for axis in axes if value.shape[axis] in _CHANNELS]
    if not channels:
        return None
    channel = axes[-1] if channels[-1] == axes[-1] and value.shape[axes[-3]] not in _CHANNELS else channels[0]
    if channel != axes[-1]:
        channel = axes[-3] if axes[-3] in channels else channel
    spatial = [axis for axis in axes if axis != channel][-2:]
    frames = [axis for axis in axes if axis not in (*spatial, channel)]
    depth = math.prod(value.shape[axis] for axis in frames)
    height, width = (value.shape[axis] for axis in spatial)
    patch = _find_patch(model) or max(1, math.ceil(min(height, width) / _CELLS_PER_SIDE))
    while math.ceil(height / patch) * math.ceil(width / patch) * depth > most and patch < max(height, width):
        patch *= 2
    rows, columns = math.ceil(height / patch), math.ceil(width / patch)
    numbers = torch.zeros(value.shape, dtype=torch.long)
    for size, axis, cell in (
        *((value.shape[a], a, 1) for a in frames),
        (height, spatial[0], patch),
        (width, spatial[1], patch),
    ):
        shape = [1] * value.dim()
        shape[axis] = size
        numbers = numbers * math.ceil(size / cell) + (torch.arange(size) // cell).reshape(shape)
    pieces = tuple(
        (f"frame {frame}, " if depth > 1 else "") + f"row {row}, column {column}"
        for frame in range(depth)
        for row in range(rows)
        for column in range(columns)
    )
    return InputUnits(numbers, pieces, (depth, rows, columns), channel, patch)


def _find_patch(model: nn.Module) -> int | None:
    """The side of the patches that the model cuts its images into; None where it cuts none."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            side, step = module.kernel_size[-1], module.stride[-1]
            return int(side) if side == step and side > 1 else None
    return None


def _name_stretch(start: int, count: int) -> str:
    return str(start) if count == 1 else f"{start}–{start + count - 1}"
