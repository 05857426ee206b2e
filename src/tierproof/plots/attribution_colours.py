"""Colours of attribution scores: the hue is the sign, the strength is the size."""

from __future__ import annotations

import math

from tierproof.plots.palette import ACCENT, WARN

POSITIVE, NEGATIVE = ACCENT, WARN
# Text on it stays legible on light and dark pages.
_STRONGEST = 0.75
METHOD_NAMES = {
    "integrated_gradients": "integrated gradients",
    "gradient_times_input": "gradient × input",
    "ablation": "ablation",
}


def find_colour(score: float, largest: float) -> tuple[str, float]:
    """The colour of a score and its opacity from 0 to 1, where `largest` is the largest absolute score."""
    if not math.isfinite(score) or not largest > 0:
        return POSITIVE, 0.0
    return (POSITIVE if score > 0 else NEGATIVE), _STRONGEST * min(abs(score) / largest, 1.0)


def find_largest(scores: tuple[float, ...]) -> float:
    """The largest absolute score that is finite; 0 where there is none."""
    return max((abs(score) for score in scores if math.isfinite(score)), default=0.0)
