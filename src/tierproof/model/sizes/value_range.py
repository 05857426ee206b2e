"""How large the values in a set of tensors are, leaving out what masks are filled with, and whether they are finite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.model.sizes.readable_values import read_values

FLOAT16_MAX = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class ValueRange:
    """The size of the values in a set of floating-point tensors, and its numbers of NaN and infinite values.

    Attributes:
        nan: elements that are NaN.
        positive_infinity: elements that are +inf.
        negative_infinity: elements that are -inf (a common way to rule something out).
        largest: largest absolute value among the finite ones below the fills that masks use.
    """

    nan: int = 0
    positive_infinity: int = 0
    negative_infinity: int = 0
    largest: float = 0.0

    @property
    def sound(self) -> bool:
        """Neither NaN nor +inf."""
        return self.nan == 0 and self.positive_infinity == 0


# Masks are filled with -1e9, -1e30 or the smallest float; those are no activations.
_SMALLEST_MASK_FILL = 9e8


def measure_range(tensors: Sequence[Tensor]) -> ValueRange:
    """Measure the value range of all floating-point tensors together."""
    nan = positive = negative = 0
    largest = 0.0
    for tensor in tensors:
        read = read_values(tensor)
        if read is None or read.numel() == 0 or not (read.is_floating_point() or read.is_complex()):
            continue
        values = torch.view_as_real(read) if read.is_complex() else read
        size = float(values.detach().abs().max())
        if size < _SMALLEST_MASK_FILL:
            largest = max(largest, size)
            continue
        nan += int(values.isnan().sum())
        positive += int((values == float("inf")).sum())
        negative += int((values == float("-inf")).sum())
        kept = values[values.abs() < _SMALLEST_MASK_FILL]
        largest = max(largest, float(kept.abs().max()) if kept.numel() else 0.0)
    return ValueRange(nan, positive, negative, largest)
