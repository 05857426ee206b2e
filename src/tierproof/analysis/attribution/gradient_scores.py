"""Scores from gradients: at the input alone, and integrated from the baseline by captum."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tierproof._optional import require
from tierproof.analysis.attribution.attribution_figures import PathIntegral
from tierproof.analysis.attribution.rank_agreement import correlate_ranks
from tierproof.analysis.attribution.scored_model import Points, ScoredModel

FIRST_STEPS = 10
# Completeness to one part in a hundred; a ranking that moves less than this no longer changes what is read off it.
_LARGEST_DELTA = 0.01
_LARGEST_RANK_CHANGE = 0.01
_ROUNDINGS = 64.0
# Points of the path walked backwards lie between those walked forwards.
_FURTHER_STEPS = 1
_CANCELLING = 0.1


def load_captum() -> Any:
    """captum's module of methods.

    Raises:
        MissingPackageError: captum is not installed.
        BrokenPackageError: captum is installed and its import fails.
    """
    feature = "for integrated gradients"
    require("captum", feature=feature)
    return require("captum.attr", feature=feature)


@dataclass(frozen=True)
class IntegratedScores:
    """The scores of each element, and how well they converged."""

    values: Points
    path: PathIntegral


def multiply_gradient(scored: ScoredModel) -> Points:
    """Gradient at the input, times input less baseline, for each element, [1, …]."""
    at_input, at_baseline = scored.ends
    points = tuple(each.clone().requires_grad_() for each in at_input)
    with torch.enable_grad():
        gradients = torch.autograd.grad(scored.score(points).sum(), points)
    return tuple(g * (a - b) for g, a, b in zip(gradients, at_input, at_baseline, strict=True))


def count_points(most_steps: int) -> tuple[int, int]:
    """How many points are computed where the path converges at once, and where it never does."""
    least, steps = FIRST_STEPS, FIRST_STEPS
    most = FIRST_STEPS
    while 2 * steps <= most_steps:
        steps *= 2
        most += steps
        least = most if steps == 2 * FIRST_STEPS else least
    return least + 2 * FIRST_STEPS + _FURTHER_STEPS, most + steps + _FURTHER_STEPS


def limit_steps(most_steps: int, point_s: float, most_s: float) -> int:
    """As many steps as fit into `most_s` seconds, but enough to see once whether doubling changes anything."""
    while most_steps >= 4 * FIRST_STEPS and count_points(most_steps)[1] * point_s > most_s:
        most_steps //= 2
    return most_steps


def integrate_gradients(
    captum: Any,
    scored: ScoredModel,
    gather: Callable[[Points], list[float]],
    *,
    chunk: int,
    most_steps: int,
    tell: Callable[[str], None],
) -> IntegratedScores:
    """Integrate with captum, and double the steps until the sum and the ranking both hold.

    Args:
        captum: its module of methods.
        scored: the model at one example.
        gather: turns the scores of elements into those of pieces, over all inputs.
        chunk: points that go through the model at once.
        most_steps: of one integral.
        tell: called with what is done.
    """
    method = captum.IntegratedGradients(lambda *points: scored.score(points))
    at_input, at_baseline = scored.ends
    with torch.no_grad():
        ends = [float(scored.score(end)) for end in (at_input, at_baseline)]

    def walk(start: Points, stop: Points, steps: int) -> Points:
        tell(f"{steps} steps")
        with torch.enable_grad():
            found = method.attribute(
                stop, baselines=start, n_steps=steps, internal_batch_size=chunk, method="gausslegendre"
            )
        return tuple(each.detach() for each in found)

    before: list[float] | None = None
    steps, converged = FIRST_STEPS, False
    while True:
        values = walk(at_baseline, at_input, steps)
        pieces = gather(values)
        delta, relative = _measure_delta(values, pieces, ends)
        correlation = None if before is None else correlate_ranks(before, pieces)
        holds = relative <= _LARGEST_DELTA
        stable = before is not None and (correlation is None or 1 - correlation <= _LARGEST_RANK_CHANGE)
        finite = all(map(math.isfinite, pieces))
        converged = holds and stable and finite
        if converged or not finite or 2 * steps > most_steps:
            break
        steps, before = 2 * steps, pieces
    backwards = gather(walk(at_input, at_baseline, steps + _FURTHER_STEPS)) if finite else None
    return IntegratedScores(
        values,
        PathIntegral(
            steps=steps,
            delta=delta,
            relative_delta=relative,
            rank_change=None if correlation is None else 1 - correlation,
            converged=converged,
            reverse_error=None if backwards is None else _compare_backwards(pieces, backwards),
        ),
    )


def _measure_delta(values: Points, pieces: list[float], ends: list[float]) -> tuple[float, float]:
    total = math.fsum(float(each.double().sum()) for each in values)
    difference = ends[0] - ends[1]
    delta = total - difference
    # What lies below rounding of the two scores is no error of the integral.
    floor = _ROUNDINGS * torch.finfo(torch.float32).eps * max(map(abs, ends))
    scale = max(abs(difference), _CANCELLING * math.fsum(map(abs, pieces)))
    if abs(delta) <= floor:
        return delta, 0.0
    return delta, abs(delta) / scale if scale else math.inf


def _compare_backwards(pieces: list[float], backwards: list[float]) -> float:
    largest = max(map(abs, pieces), default=0.0)
    off = max((abs(a + b) for a, b in zip(pieces, backwards, strict=True)), default=0.0)
    return off / largest if largest else off


def sum_pieces(values: Tensor, numbers: Tensor, count: int) -> list[float]:
    """The sum of the scores of each piece's elements."""
    flat, owners = values.detach().double().flatten(), numbers.flatten()
    known = owners >= 0
    sums = torch.zeros(count, dtype=torch.float64, device=flat.device)
    return [float(each) for each in sums.index_add_(0, owners[known], flat[known])]
