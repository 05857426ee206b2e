"""How far two lists of scores put the same things first."""

from __future__ import annotations

import math
from collections.abc import Sequence

_FEWEST = 3


def correlate_ranks(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties at their mean rank.

    None for fewer than three values, where one list is constant, or where a value is not finite.
    """
    if len(one) < _FEWEST or len(one) != len(other) or not all(map(math.isfinite, (*one, *other))):
        return None
    ranks, other_ranks = _rank(one), _rank(other)
    mean = (len(one) - 1) / 2
    product = sum((a - mean) * (b - mean) for a, b in zip(ranks, other_ranks, strict=True))
    squares = [sum((rank - mean) ** 2 for rank in each) for each in (ranks, other_ranks)]
    if not all(squares):
        return None
    return product / math.sqrt(squares[0] * squares[1])


def _rank(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda place: values[place])
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        stop = start
        while stop + 1 < len(order) and values[order[stop + 1]] == values[order[start]]:
            stop += 1
        for place in order[start : stop + 1]:
            ranks[place] = (start + stop) / 2
        start = stop + 1
    return ranks
