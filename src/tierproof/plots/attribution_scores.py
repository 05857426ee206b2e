"""Draw the scores of one example: bars for tokens and stretches, a heat map for images, one row for each method."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tierproof.errors import UsageError
from tierproof.plots.attribution_colours import (
    METHOD_NAMES,
    NEGATIVE,
    POSITIVE,
    find_colour,
    find_largest,
)
from tierproof.plots.chart import hide_frame, new_figure
from tierproof.plots.palette import LINE
from tierproof.plots.read_label import read_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tierproof.analysis.attribution.attribution_figures import (
        ExampleAttribution,
        ModelAttribution,
        PartScores,
    )

_ROW_IN, _LABELS_IN = 1.0, 0.7
_MOST_LABELS = 24


def draw_attribution(measured: ModelAttribution, number: int | None = None) -> Figure | None:
    """Draw one example, the first one by default; None where no example has scores.

    Raises:
        UsageError: there is no example of that number.
    """
    drawable = [each for each in measured.examples if each.methods]
    if number is not None:
        drawable = [each for each in drawable if each.number == number]
        if not drawable:
            raise UsageError(
                f"example {number} has no scores",
                hint=f"These have: {', '.join(str(each.number) for each in measured.examples)}.",
            )
    return draw_example(drawable[0]) if drawable else None


def draw_example(example: ExampleAttribution) -> Figure:
    """One axis for each method and each input of the model."""
    rows = [(part, method) for part in example.parts for method in example.methods if part.scores.get(method)]
    heights = [_ROW_IN * (1.6 if part.grid else 1.0) for part, _ in rows]
    figure, axes = new_figure(sum(heights) + _LABELS_IN, rows=heights)
    for place, ((part, method), axis) in enumerate(zip(rows, axes, strict=True)):
        title = f"{METHOD_NAMES.get(method, method)} of {part.name}"
        axis.set_title(read_label(title, longest=60), loc="left")
        if part.grid:
            _draw_cells(axis, part, part.scores[method])
        else:
            last = place + 1 == len(rows) or rows[place + 1][0] is not part
            _draw_bars(axis, part, part.scores[method], labelled=last)
    figure.set_label(
        f"What each piece of example {example.number} adds to the score of {example.target}, "
        f"by {len(example.methods)} methods; blue raises it, orange lowers it."
    )
    return figure


def _draw_bars(axis: Axes, part: PartScores, scores: tuple[float, ...], *, labelled: bool) -> None:
    finite = [score if math.isfinite(score) else 0.0 for score in scores]
    axis.bar(
        range(len(finite)), finite, color=[POSITIVE if score > 0 else NEGATIVE for score in finite], width=0.8
    )
    axis.axhline(0, color=LINE, linewidth=0.6)
    axis.set_xlim(-0.6, len(finite) - 0.4)
    axis.locator_params(axis="y", nbins=3)
    step = max(1, math.ceil(len(part.pieces) / _MOST_LABELS))
    places = range(0, len(part.pieces), step)
    names = [read_label(part.pieces[place].strip() or "␣", longest=12) for place in places]
    axis.set_xticks(list(places), names if labelled else [""] * len(names), rotation=60, ha="right")


def _draw_cells(axis: Axes, part: PartScores, scores: tuple[float, ...]) -> None:
    from matplotlib.patches import Rectangle

    frames, rows, columns = part.grid
    largest = find_largest(scores)
    for place, score in enumerate(scores[: frames * rows * columns]):
        frame, cell = divmod(place, rows * columns)
        row, column = divmod(cell, columns)
        colour, opacity = find_colour(score, largest)
        left = frame * (columns + 1) + column
        axis.add_patch(Rectangle((left, row), 1, 1, facecolor=colour, alpha=opacity, linewidth=0))
    for frame in range(frames):
        left = frame * (columns + 1)
        axis.add_patch(Rectangle((left, 0), columns, rows, fill=False, edgecolor=LINE, linewidth=0.6))
    axis.set_xlim(-0.1, frames * (columns + 1) - 0.9)
    axis.set_ylim(rows + 0.1, -0.1)
    axis.set_aspect("equal", anchor="W")
    axis.set_xticks([])
    axis.set_yticks([])
    hide_frame(axis)
