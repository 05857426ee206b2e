"""Compare the gradients of backward with finite differences of the forward pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.model.call.substitution import draw_noise

# Relative to each parameter's root mean square. In pure float64 the first step is exact to 1e-8; models that
# compute a softmax, norm or rotary table in float32 inside need the larger ones to rise above its rounding.
STEPS_FLOAT64 = (1e-4, 1e-3, 3e-3, 1e-2)
STEPS_FLOAT32 = (1e-2, 2e-2, 5e-3)
# Tried only to acquit: beside a vector of 1e-6 whose norm is taken, as in MobileViT when it is new, all
# the steps above are far away and agree on a slope of nothing.
FINER_STEPS_FLOAT64 = (1e-5, 1e-6, 1e-7)
# Where no step moves the objective at all, a change of less than this share of it is lost in a part that is computed
# in float32 (a softmax, a norm), whatever the dtype of the rest.
_DROWNED = 1e-6
# Steps that must agree before a disagreement with backward is believed: in float64 all of them, because a norm
# of a vector near zero bends so sharply that only the finest step begins to see its slope.
_WITNESSES = 4
# Finer steps that come this much nearer to backward than the coarse ones are speak for it.
_ACQUITTAL = 0.3
# A step ten times finer loses ten times as much to rounding: from here even finer ones show rounding alone.
_ROUNDING = 3.0
# A derivative this small beside the objective itself is rounding, by backward as by differences.
_NOTHING = 1e-10
_PART = 1 << 18  # values

Evaluate = Callable[[Mapping[str, Tensor]], float]


@dataclass(frozen=True)
class DirectionalDerivative:
    """The derivative along one random direction, by backward and by central differences.

    Attributes:
        analytic: by backward.
        numeric: by the difference quotient.
        scale: the size a derivative along such a direction is expected to have; mismatches are relative
            to it, because a single one may be close to zero by chance.
        spread: relative disagreement between steps; large where the function has kinks or jumps, or where the
            difference is lost in rounding.
    """

    analytic: float
    numeric: float
    scale: float
    spread: float

    @property
    def mismatch(self) -> float:
        """Distance between the two, relative to `scale`."""
        return abs(self.numeric - self.analytic) / self.scale if self.scale > 0 else 0.0


def compare_along_direction(
    evaluate: Evaluate,
    parameters: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor | None],
    names: Iterable[str],
    *,
    still_rows: Mapping[str, int],
    seed: int,
    steps: tuple[float, ...],
    finer_steps: tuple[float, ...] = (),
    tolerance: float,
) -> DirectionalDerivative:
    """Differentiate the objective along one random direction in the named parameters, by backward and numerically.

    Args:
        evaluate: gives the objective for replaced parameters (those not replaced keep their values).
        parameters: the point, by name.
        gradients: those of backward at that point; None counts as zero.
        names: the parameters that move.
        still_rows: by name, a row that must not move (such as `padding_idx`, which gets no gradient).
        seed: of the direction.
        steps: tried until one agrees with backward within `tolerance`.
        finer_steps: tried after the first of them; they count only where they agree.
        tolerance: relative mismatch that ends the search.
    """
    direction = _draw_direction(parameters, names, still_rows, seed)
    analytic, variance = _project(gradients, direction)
    quotients: dict[float, float] = {}
    means: dict[float, float] = {}
    misses: list[float] = []
    # Rectifiers bend within the first step, and the finer ones then agree: all the coarse ones need not be tried.
    for size in (*steps[:1], *finer_steps, *steps[1:]):
        if size in finer_steps and _is_rounding(misses):
            continue
        with torch.no_grad():
            above = evaluate({n: parameters[n].add(d, alpha=size) for n, d in direction.items()})
            below = evaluate({n: parameters[n].sub(d, alpha=size) for n, d in direction.items()})
        quotient = quotients[size] = (above - below) / (2 * size)
        means[size] = (above + below) / 2
        scale = max(variance**0.5, abs(analytic), abs(quotient))
        if scale <= _NOTHING * max(abs(above), abs(below)):
            return DirectionalDerivative(analytic, quotient, 0.0, 0.0)
        if abs(quotient - analytic) <= tolerance * scale:
            return DirectionalDerivative(analytic, quotient, scale, 0.0)
        misses.append(abs(quotient - analytic) / scale)
    coarse = [quotients[size] for size in steps]
    if not any(coarse) and 2 * max(steps) * abs(analytic) <= _DROWNED * abs(means[steps[0]]):
        return DirectionalDerivative(analytic, 0.0, max(variance**0.5, abs(analytic)), float("inf"))
    bend = 0.0
    if finer_steps:
        with torch.no_grad():
            centre = evaluate({name: parameters[name] for name in direction})
        bend = _measure_bend(centre, means, (steps[0], finer_steps[0]))
    return _judge(
        analytic, variance**0.5, coarse, [quotients[size] for size in finer_steps if size in quotients], bend
    )


def _is_rounding(misses: list[float]) -> bool:
    """Whether the last step, finer than the one before, came out much farther from backward."""
    return len(misses) > 1 and misses[-1] > _ROUNDING * misses[-2]


def _measure_bend(centre: float, means: Mapping[float, float], sizes: Iterable[float]) -> float:
    """Slope to the right less slope to the left, at the finest scale that rounding leaves readable.

    It vanishes with the step where the function is smooth and stays at a kink, where there is no derivative: a
    residual branch whose last norm is zero, before a ReLU.

    Args:
        centre: the objective at the point itself.
        means: of the objective on both sides, by the size of the step.
        sizes: of the steps to read it at; the finest of all drown in rounding.
    """
    return min(abs(means[size] - centre) * 2 / size for size in sizes)


def _draw_direction(
    parameters: Mapping[str, Tensor], names: Iterable[str], still_rows: Mapping[str, int], seed: int
) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    # Complex parameters have no copy in float64.
    direction = {name: draw_noise(parameters[name], generator) for name in names if name in parameters}
    for name, row in still_rows.items():
        if name in direction:
            direction[name][row] = 0.0
    return direction


def _project(gradients: Mapping[str, Tensor | None], direction: Mapping[str, Tensor]) -> tuple[float, float]:
    """Backward's derivative along the direction, and the sum of squares of its terms."""
    analytic, variance = 0.0, 0.0
    for name, step in direction.items():
        gradient = gradients.get(name)
        if gradient is not None:
            dense = gradient.to_dense() if gradient.is_sparse else gradient
            slopes, moves = dense.reshape(-1), step.reshape(-1)
            # A part at a time: whole copies in float64 outweigh a large table.
            for start in range(0, slopes.numel(), _PART):
                part = slice(start, start + _PART)
                product = slopes[part].double() * moves[part].double()
                analytic += float(product.sum())
                variance += float(product.square().sum())
    return analytic, variance


def _judge(
    analytic: float, typical: float, quotients: list[float], finer_quotients: list[float], bend: float
) -> DirectionalDerivative:
    """Summarise quotients of which none agrees with backward.

    Args:
        typical: the size that a derivative along such a direction is expected to have.
        bend: see `_measure_bend`.
    """
    witnesses = quotients[-_WITNESSES:]
    gap = max(max(witnesses) - min(witnesses), bend)
    numeric = sorted(witnesses)[len(witnesses) // 2]
    scale = max(typical, abs(analytic), abs(numeric))
    nearest = min((abs(quotient - analytic) for quotient in finer_quotients), default=math.inf)
    if nearest < _ACQUITTAL * abs(numeric - analytic):
        # Fine steps go over to backward's side: the coarse ones agree on the flat of a function that is steep near by.
        return DirectionalDerivative(analytic, numeric, scale, math.inf)
    return DirectionalDerivative(analytic, numeric, scale, gap / scale if scale > 0 else 0.0)
