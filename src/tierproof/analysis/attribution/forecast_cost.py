"""Foresee the memory and time of the gradients along a path, and choose how many points go at once."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from tierproof.analysis.attribution.attribution_figures import CostForecast
from tierproof.analysis.attribution.scored_model import ScoredModel
from tierproof.model.costs.activation_fit import Measured, fit_activations
from tierproof.model.costs.live_bytes import measure_live_bytes
from tierproof.model.sizes.device_memory import find_free_bytes

# Others want memory too, and an estimate may be short.
_SHARE = 0.25
_MOST_AT_ONCE = 64
# Up to this length a pass is small enough to be measured as it is.
_MEASURED_LENGTH = 128
_FITTED_LENGTHS = (32, 64, 128)
_HELD_OUT_LENGTH = 96


def forecast_cost(
    scored: ScoredModel,
    length: int | None,
    make_shorter: Callable[[int], ScoredModel | None],
    points: tuple[int, int],
) -> CostForecast:
    """Measure a small forward and backward pass, and work out what the example will need.

    Args:
        scored: the model at the example.
        length: of the example in positions; None where it has none.
        make_shorter: gives the model at a random input of another length; None where it takes none.
        points: how many will be computed at least and at most.
    """
    free = find_free_bytes(scored.subject.device)
    if length is not None and length > _MEASURED_LENGTH:
        fitted = _fit(length, make_shorter)
        if fitted is not None:
            point_bytes, seconds = fitted
            return _conclude(point_bytes, 0, free, seconds, points, scored, fitted=True)
    one, seconds = _measure(scored, 1)
    if not scored.together:
        return _conclude(one, 0, free, seconds, points, scored, fitted=False)
    three, three_s = _measure(scored, 3)
    point_bytes = max((three - one) // 2, 1)
    per_point = min(seconds, three_s / 3)
    return _conclude(point_bytes, max(one - point_bytes, 0), free, per_point, points, scored, fitted=False)


def _conclude(
    point_bytes: int,
    fixed_bytes: int,
    free: int | None,
    seconds: float,
    points: tuple[int, int],
    scored: ScoredModel,
    *,
    fitted: bool,
) -> CostForecast:
    fitting = _MOST_AT_ONCE
    if free is not None:
        fitting = max(1, int((_SHARE * free - fixed_bytes) // max(point_bytes, 1)))
    chunk = min(fitting, _MOST_AT_ONCE) if scored.together else 1
    return CostForecast(point_bytes, fixed_bytes, free, seconds, chunk, *points, fitted)


def _fit(length: int, make_shorter: Callable[[int], ScoredModel | None]) -> tuple[int, float] | None:
    measured: dict[int, tuple[int, float]] = {}
    for short in (*_FITTED_LENGTHS, _HELD_OUT_LENGTH):
        scored = make_shorter(short)
        if scored is None:
            return None
        measured[short] = _measure(scored, 1)
    fit = fit_activations(
        [Measured(1, short, measured[short][0]) for short in _FITTED_LENGTHS],
        Measured(1, _HELD_OUT_LENGTH, measured[_HELD_OUT_LENGTH][0]),
    )
    longest = _FITTED_LENGTHS[-1]
    seconds = measured[longest][1] * length / longest
    return max(fit.predict(1, length), measured[longest][0]), seconds


def _measure(scored: ScoredModel, count: int) -> tuple[int, float]:
    """Bytes at the peak of one pass with `count` points, and seconds of another one like it."""
    at_input, _ = scored.ends

    def run() -> None:
        points = tuple(torch.cat([each] * count).requires_grad_() for each in at_input)
        with torch.enable_grad():
            torch.autograd.grad(scored.score(points).sum(), points)

    live = measure_live_bytes(run, scored.subject.device)
    began = time.perf_counter()
    run()
    return live.peak_bytes, time.perf_counter() - began
