"""Measure what each head of one attention operation attends to."""

from __future__ import annotations

from tierproof.analysis.attention.attention_figures import PatternStatistics
from tierproof.analysis.attention.attention_pattern import AttentionPattern
from tierproof.analysis.attention.pattern_sums import PatternSums


def measure_pattern(pattern: AttentionPattern, period: int | None = None) -> PatternStatistics:
    """Measure the heads of a pattern, block by block.

    Args:
        period: after how many positions the tokens repeat; None where they do not.
    """
    sums = PatternSums(pattern)
    sums.add(pattern, period)
    return sums.conclude()
