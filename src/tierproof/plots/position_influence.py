"""Draw T1-CAUSAL's measurements: which input positions move which output positions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tierproof.checks.measurements.position_influence import PositionInfluence
from tierproof.plots.chart import hide_frame, new_figure
from tierproof.plots.palette import ACCENT, INK, WARN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 64
_LEVELS = 4

Matrix = Sequence[Sequence[float]]


def draw_influence(measured: PositionInfluence) -> Figure | None:
    """Draw the influence: rows are output positions, columns inputs; what lies above the diagonal is later.

    Values may be 0/1 or strengths; each is shown relative to the largest.
    """
    matrix: Matrix = measured.influence
    if not matrix:
        return None
    later = sum(1 for row, values in enumerate(matrix) for value in values[row + 1 :] if value > 0)
    length, width = len(matrix), len(matrix[0])
    matrix, step = _coarsen(matrix)
    figure, (axes,) = new_figure(3.3, width_in=3.7)
    _draw_cells(axes, matrix)
    rows, columns = len(matrix), len(matrix[0])
    end = min(rows, columns)
    axes.plot([0, end], [0, end], color=INK, linewidth=1.0, linestyle=(0, (3, 2)))
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    axes.set_aspect("equal")
    _tick(axes, rows, columns, step)
    axes.set_xlabel("input position")
    axes.set_ylabel("output position")
    hide_frame(axes)
    if axes.patches:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=2,
            handlelength=0.9,
            handleheight=0.9,
            borderaxespad=0.3,
        )
    seen = (
        f"{later} pairs where an output depends on a later input"
        if later
        else "no output depends on a later input"
    )
    figure.set_label(
        f"Influence of {width} inputs on {length} outputs: {seen}. The dashed line is the diagonal."
    )
    return figure


def _coarsen(matrix: Matrix) -> tuple[Matrix, int]:
    """Merge positions (by their strongest influence) until at most `_MOST` are left on a side."""
    step = math.ceil(max(len(matrix), len(matrix[0])) / _MOST)
    if step == 1:
        return matrix, 1
    return [
        [
            max(max(row[column : column + step]) for row in matrix[top : top + step])
            for column in range(0, len(matrix[0]), step)
        ]
        for top in range(0, len(matrix), step)
    ], step


def _draw_cells(axes: Axes, matrix: Matrix) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    named = {ACCENT: "same or earlier input", WARN: "later input"}
    largest = max((value for row in matrix for value in row if math.isfinite(value)), default=1.0) or 1.0
    boxes: dict[tuple[str, int], list[Path]] = {}
    for row, values in enumerate(matrix):
        for start, stop, level in _runs(values, row, largest):
            colour = WARN if start > row else ACCENT
            corners = [(start, row), (stop, row), (stop, row + 1), (start, row + 1), (start, row)]
            boxes.setdefault((colour, level), []).append(Path(corners, closed=True))
    for (colour, level), paths in sorted(boxes.items(), key=lambda item: -item[0][1]):
        axes.add_patch(
            PathPatch(
                Path.make_compound_path(*paths),
                facecolor=colour,
                alpha=0.15 + 0.6 * level / _LEVELS,
                linewidth=0,
                label=named.pop(colour, None),
            )
        )


def _runs(values: Sequence[float], row: int, largest: float) -> Iterator[tuple[int, int, int]]:
    """Yield (start, stop, level) for neighbours of one level on one side of the diagonal."""
    levels = [
        0 if value <= 0 else _LEVELS if value >= largest else max(1, math.ceil(_LEVELS * value / largest))
        for value in values
    ]
    start = 0
    for stop in range(1, len(levels) + 1):
        if stop == len(levels) or levels[stop] != levels[start] or stop == row + 1:
            if levels[start]:
                yield start, stop, levels[start]
            start = stop


def _tick(axes: Axes, rows: int, columns: int, step: int) -> None:
    for count, set_ticks in ((columns, axes.set_xticks), (rows, axes.set_yticks)):
        every = max(1, math.ceil(count / 8))
        places = range(0, count, every)
        set_ticks([place + 0.5 for place in places], labels=[str(place * step) for place in places])
