"""Find the layers whose figures differ most from those of their siblings."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from tierproof.analysis.capacity.capacity_figures import BlockState, CapacityFigures, Unusual

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.|$)|\[\d+\]")
# A median of fewer says nothing.
_LEAST_SIBLINGS = 5
_MOST = 12
# Spread that counts as no spread: differences of a few percent are not worth a person's time.
_LEAST_SPREAD = 0.04
# From the median absolute deviation to the standard deviation of a normal distribution.
_NORMAL = 1.4826
_LEAST_SCORE = 5.0


@dataclass(frozen=True)
class _Value:
    where: str
    figure: str
    value: float


def find_unusual(own: CapacityFigures, other: CapacityFigures | None) -> tuple[Unusual, ...]:
    """At most twelve figures that are five robust standard deviations or more from their siblings' median.

    Siblings are layers whose paths differ in numbers only, such as `layers.3.mlp.up` and `layers.7.mlp.up`. Where there
    is another model, what is compared is the ratio to the same layer there, so that what follows from depth alone does
    not count. Logarithms of the figures are compared; a spread of less than 4 % counts as 4 %.
    """
    theirs = {(each.where, each.figure): each.value for each in _iterate_values(other)} if other else {}
    groups: dict[tuple[str, str], list[_Value]] = {}
    for each in _iterate_values(own):
        if each.value > 0:
            groups.setdefault((group_layer(each.where), each.figure), []).append(each)
    found: list[Unusual] = []
    for values in groups.values():
        found += _judge_group(values, theirs)
    return tuple(sorted(found, key=lambda each: -abs(each.score))[:_MOST])


def group_layer(path: str) -> str:
    """A path with its numbers replaced: what siblings have in common."""
    return _NUMBER.sub("*", path)


def _judge_group(values: Sequence[_Value], theirs: dict[tuple[str, str], float]) -> Iterator[Unusual]:
    if len(values) < _LEAST_SIBLINGS + 1:
        return
    others = [theirs.get((each.where, each.figure), 0.0) for each in values]
    compared = all(other > 0 for other in others)
    logs = [
        math.log(each.value / other if compared else each.value)
        for each, other in zip(values, others, strict=True)
    ]
    for place, each in enumerate(values):
        rest = logs[:place] + logs[place + 1 :]
        middle = median(rest)
        spread = max(_NORMAL * median(abs(value - middle) for value in rest), _LEAST_SPREAD)
        score = (logs[place] - middle) / spread
        if abs(score) >= _LEAST_SCORE:
            usual = median(value.value for at, value in enumerate(values) if at != place)
            other = others[place] if compared else None
            yield Unusual(each.where, each.figure, each.value, usual, other, score, len(rest))


def _iterate_values(figures: CapacityFigures) -> Iterator[_Value]:
    for weight in figures.weights:
        yield _Value(weight.name, "effective rank", weight.effective_rank)
        yield _Value(weight.name, "stable rank", weight.stable_rank)
    for stack in figures.stacks:
        for state in stack.states[1:]:
            yield from _iterate_state(state)
    for units in figures.units:
        yield _Value(units.path, "silent units", float(units.silent))


def _iterate_state(state: BlockState) -> Iterator[_Value]:
    yield _Value(state.path, "share of the block in the residual", state.update or 0.0)
    yield _Value(state.path, "largest activation over the median", _divide(state.largest, state.median))
    yield _Value(state.path, "outlier channel over the median channel", state.outlier_ratio)
    yield _Value(state.path, "spread of the positions", state.spread)


def _divide(one: float, other: float) -> float:
    return one / other if other > 0 else 0.0
