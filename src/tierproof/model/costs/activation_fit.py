"""Fit activation memory as a function of batch and length to a few small measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

# Everything that a layer keeps is a product of axes: constants, per sample, per position (masks and
# position tables do not depend on the batch), per token, and per pair of positions. Powers of (B, T).
TERMS = {"1": (0, 0), "B": (1, 0), "T": (0, 1), "B·T": (1, 1), "B·T²": (1, 2), "T²": (0, 2)}


@dataclass(frozen=True)
class Measured:
    """Bytes measured at one batch and length."""

    batch: int
    length: int
    bytes: int


@dataclass(frozen=True)
class ActivationFit:
    """A fit of the activation memory: bytes(B, T) = Σ coefficient · term.

    Attributes:
        coefficients: bytes per term, by the names in `TERMS`.
        relative_error: |predicted - measured| / measured at a point that was held out of the fit.
        points: the measurements that were fitted.
        held_out: the measurement that was not.
    """

    coefficients: dict[str, float]
    relative_error: float
    points: tuple[Measured, ...]
    held_out: Measured

    def predict(self, batch: int, length: int) -> int:
        """The predicted bytes at a batch and length, at least zero."""
        total = sum(value * _evaluate(name, batch, length) for name, value in self.coefficients.items())
        return max(0, round(total))

    def length_exponent(self, batch: int, length: int) -> float:
        """d log(bytes) / d log(T): 1 if memory grows linearly with the length, 2 if quadratically."""
        total = self.predict(batch, length)
        slope = sum(
            value * TERMS[name][1] * _evaluate(name, batch, length)
            for name, value in self.coefficients.items()
        )
        return slope / total if total else 0.0


def fit_activations(points: Sequence[Measured], held_out: Measured) -> ActivationFit:
    """Fit the terms that the points can distinguish by least squares, and test the fit on the held-out point.

    Two lengths determine no quadratic term, one length no slope, and one batch no batch term; such terms are left
    out.
    """
    batches, lengths = {p.batch for p in points}, {p.length for p in points}
    names = [name for name in TERMS if _can_tell(name, len(batches), len(lengths))]
    rows = torch.tensor(
        [[_evaluate(name, p.batch, p.length) for name in names] for p in points],
        dtype=torch.float64,
        device="cpu",
    )
    scale = rows.amax(dim=0)
    target = torch.tensor([[p.bytes] for p in points], dtype=torch.float64, device="cpu")
    solution = torch.linalg.lstsq(rows / scale, target, driver="gelsd").solution[:, 0] / scale
    coefficients = dict(zip(names, solution.tolist(), strict=True))
    fit = ActivationFit(coefficients, math.nan, tuple(points), held_out)
    difference = abs(fit.predict(held_out.batch, held_out.length) - held_out.bytes)
    return ActivationFit(coefficients, difference / max(held_out.bytes, 1), tuple(points), held_out)


def _evaluate(name: str, batch: int, length: int) -> int:
    of_batch, of_length = TERMS[name]
    return int(batch**of_batch * length**of_length)


def _can_tell(name: str, batches: int, lengths: int) -> bool:
    of_batch, of_length = TERMS[name]
    return batches > of_batch and lengths > of_length
