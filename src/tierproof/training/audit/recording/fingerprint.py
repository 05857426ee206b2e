"""Numbers that stand for the values of many tensors, so that two states can be compared without a copy of either."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

_PERIOD = 9973


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What stands for one tensor.

    Attributes:
        norm: its Euclidean norm; NaN where a value is.
        product: its dot product with a fixed random vector that repeats every 9,973 numbers. Two tensors with equal
            norm and product are equal, but for chance and for exchanges of numbers that lie so far apart.
        rounding: the relative spacing of numbers of the tensor's dtype; 0 for integers.
    """

    norm: float
    product: float
    rounding: float = 0.0

    @property
    def is_zero(self) -> bool:
        """Whether every value is zero."""
        return self.norm == 0.0

    def differs(self, other: Fingerprint, tolerance: float = 0.0) -> bool:
        """Whether the tensors differ by more than a share `tolerance` of their norm."""
        most = tolerance * max(self.norm, other.norm)
        if self.norm != self.norm or other.norm != other.norm:
            return (self.norm != self.norm) != (other.norm != other.norm)
        return abs(self.norm - other.norm) > most or abs(self.product - other.product) > 2 * most


def take_fingerprint(tensor: Tensor) -> Fingerprint:
    """The fingerprint of a tensor of any dtype, shape and device."""
    with torch.no_grad(), torch._C.DisableTorchFunction():
        values = tensor.detach()
        rounding = torch.finfo(values.dtype).eps if values.is_floating_point() else 0.0
        if values.is_sparse:
            values = values.coalesce().values()
        square = product = 0.0
        flat = values.flatten()
        for start in range(0, flat.numel(), _PERIOD * 100):  # in parts that fit into the cache
            part = flat[start : start + _PERIOD * 100]
            numbers = part.to("cpu", torch.float64)
            square += float(torch.dot(numbers, numbers))
            product += _multiply(numbers)
        return Fingerprint(math.sqrt(square), product, rounding)


def _multiply(numbers: Tensor) -> float:
    signs = _draw_signs()
    whole = numbers.numel() // _PERIOD * _PERIOD
    rest = torch.dot(numbers[whole:], signs[: numbers.numel() - whole])
    return float((numbers[:whole].view(-1, _PERIOD) @ signs).sum() + rest)


def take_fingerprints(tensors: Iterable[tuple[str, Tensor | None]]) -> dict[str, Fingerprint | None]:
    """The fingerprint of each named tensor; None for one that is absent."""
    return {name: None if tensor is None else take_fingerprint(tensor) for name, tensor in tensors}


@lru_cache(maxsize=1)
def _draw_signs() -> Tensor:
    generator = torch.Generator().manual_seed(8191)
    return torch.randn(_PERIOD, generator=generator, dtype=torch.float64)
