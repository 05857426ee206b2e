"""Colours of what an attention head looks at most, for the figure and for the grid in a page."""

from __future__ import annotations

from tierproof.plots.palette import ACCENT, GOOD, SERIES, WARN

ROLE_COLOURS = {
    "induction": SERIES[4],
    "duplicate": SERIES[2],
    "previous": ACCENT,
    "diagonal": SERIES[1],
    "first": WARN,
    "local": GOOD,
}
_FAINTEST = 0.08


def find_opacity(weight: float) -> float:
    """How strong a cell's colour is, for the weight that it shows: never so faint that the cell is not seen."""
    return max(_FAINTEST, min(weight, 1.0))
