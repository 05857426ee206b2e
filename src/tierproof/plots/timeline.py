"""Draw what requirements become on hosted images: a row each, a cell an image, coloured and lettered by verdict."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from tierproof.images.tell.timeline import Timelines
from tierproof.plots.load_matplotlib import chart_style, load_matplotlib
from tierproof.plots.palette import INK
from tierproof.plots.plan_verdict_colours import VERDICTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CELL_IN = 0.28
_MARGIN_IN = 0.12
_LABEL_IN = 0.085
_AGED = "°"


def draw_timelines(timelines: Timelines) -> Figure:
    """Draw requirements as rows and images as columns, each cell with the letter of its verdict.

    Args:
        timelines: at least one, over the same images.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    matplotlib = load_matplotlib()
    points = timelines.lines[0].points
    longest = max(len(line.requirement) for line in timelines.lines)
    left, bottom = longest * _LABEL_IN + 0.2, max(len(_name(each.image)) for each in points) * 0.072 + 0.15
    width = left + len(points) * _CELL_IN + _MARGIN_IN
    height = bottom + len(timelines.lines) * _CELL_IN + 0.45
    with chart_style():
        figure: Figure = matplotlib.figure.Figure(figsize=(max(width, left + 4.4), height))
        axes = figure.add_axes(
            (
                left / figure.get_figwidth(),
                bottom / height,
                len(points) * _CELL_IN / figure.get_figwidth(),
                len(timelines.lines) * _CELL_IN / height,
            )
        )
        _draw_cells(axes, timelines, matplotlib)
        _label_axes(axes, timelines)
        _draw_legend(figure, timelines, matplotlib, left=left / figure.get_figwidth())
    figure.set_label(f"Verdicts of {len(timelines.lines)} requirements on {len(points)} images.")
    return figure


def _draw_cells(axes: Axes, timelines: Timelines, matplotlib: ModuleType) -> None:
    for row, line in enumerate(timelines.lines):
        for column, point in enumerate(line.points):
            style = VERDICTS[point.verdict]
            axes.add_patch(
                matplotlib.patches.Rectangle((column, row), 0.94, 0.94, color=style.colour, linewidth=0)
            )
            axes.text(
                column + 0.47,
                row + 0.5,
                f"{style.letter}{_AGED if point.aged else ''}",
                ha="center",
                va="center",
                fontsize=8,
                color=style.ink,
            )


def _label_axes(axes: Axes, timelines: Timelines) -> None:
    points = timelines.lines[0].points
    axes.set_xlim(0, len(points))
    axes.set_ylim(len(timelines.lines), 0)
    axes.set_xticks([column + 0.47 for column in range(len(points))])
    axes.set_xticklabels([_name(point.image) for point in points], rotation=90, fontsize=7.5)
    axes.set_yticks([row + 0.5 for row in range(len(timelines.lines))])
    axes.set_yticklabels([line.requirement for line in timelines.lines])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _draw_legend(figure: Figure, timelines: Timelines, matplotlib: ModuleType, *, left: float) -> None:
    """Name the verdicts that occur, above the axes; `left` is their left edge as a share of the width."""
    seen = [
        name for name in VERDICTS if any(p.verdict == name for line in timelines.lines for p in line.points)
    ]
    handles = [matplotlib.patches.Patch(color=VERDICTS[name].colour) for name in seen]
    labels = [f"{VERDICTS[name].letter}  {name}" for name in seen]
    if any(point.aged for line in timelines.lines for point in line.points):
        handles.append(matplotlib.patches.Patch(alpha=0.0))
        labels.append(f"{_AGED} much older release")
    figure.legend(
        handles,
        labels,
        loc="upper left",
        ncols=len(labels),
        bbox_to_anchor=(left, 1.0),
        borderaxespad=0.3,
        handlelength=1.0,
        columnspacing=1.2,
        labelcolor=INK,
    )


def _name(image: str) -> str:
    return image.removeprefix("colab:")
