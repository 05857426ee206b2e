"""Draw the image that was attributed, to lie under its scores."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tierproof.analysis.attribution.input_units import InputUnits
from tierproof.core.png import write_colour_png, write_grey_png

# Pixels of a picture: more are thinned out. A noisy picture of this size takes 50 kB, and is shown for each method.
_MOST_PIXELS = 1 << 14
_GREY = 128


def draw_picture(value: Tensor, units: InputUnits, batch_axis: int | None) -> bytes | None:
    """A PNG of the frames side by side, each followed by a gap of one cell; None for what is no image.

    Models take images whose mean and spread were normalised, so the values are stretched: black is the smallest of
    the image, white the largest. Of two or four channels the mean is shown, or the first three.

    Args:
        value: of one row.
        units: its pieces.
        batch_axis: of `value`; None where it has none.
    """
    if not units.grid or units.channel_axis is None or not value.is_floating_point():
        return None
    image = value.detach().double().cpu()
    axes = [axis for axis in range(image.dim()) if axis not in (batch_axis, units.channel_axis)]
    leading = () if batch_axis is None else (batch_axis,)
    image = image.permute(*leading, *axes[:-2], units.channel_axis, *axes[-2:])
    frames, rows, columns = units.grid
    image = image.reshape(-1, *image.shape[-3:])[:frames]  # frames, channels, height, width
    image = image[:, :3] if image.shape[1] >= 3 else image.mean(1, keepdim=True)
    pixels = _lay_out(_stretch(image), rows * units.cell, columns * units.cell, units.cell)
    step = max(1, math.ceil(math.sqrt(pixels[0].numel() / _MOST_PIXELS)))
    return _write(pixels[:, ::step, ::step])


def _stretch(image: Tensor) -> Tensor:
    """The values as bytes; those that are not finite count as the middle."""
    finite = image[image.isfinite()]
    if not finite.numel() or float(finite.max()) == float(finite.min()):
        return torch.full_like(image, _GREY, dtype=torch.uint8)
    low, high = float(finite.min()), float(finite.max())
    scaled = (image - low) / (high - low) * 255
    return scaled.nan_to_num(_GREY, 255, 0).clamp(0, 255).round().to(torch.uint8)


def _lay_out(image: Tensor, tall: int, wide: int, gap: int) -> Tensor:
    """The frames side by side, [channels, height, width]; the last cells may reach beyond the image."""
    frames, channels, height, width = image.shape
    whole = torch.full((channels, tall, frames * (wide + gap) - gap), _GREY, dtype=torch.uint8)
    for number, frame in enumerate(image):
        left = number * (wide + gap)
        whole[:, :height, left : left + width] = frame
    return whole


def _write(pixels: Tensor) -> bytes:
    lines = [bytes(line.flatten().tolist()) for line in pixels.permute(1, 2, 0)]
    if pixels.shape[0] != 3:
        return write_grey_png(lines)
    return write_colour_png(lines)
