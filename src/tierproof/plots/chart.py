"""The frame all figures share: one width, transparent, with readable axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tierproof.plots.load_matplotlib import load_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 4.4
"""Narrow on purpose: on a phone the figure shrinks by a fifth and its 9 pt labels stay readable."""


def new_figure(
    height_in: float, *, rows: Sequence[float] = (1.0,), width_in: float = WIDTH_IN
) -> tuple[Figure, list[Axes]]:
    """Make a figure with one column of axes, their heights in proportion to `rows`."""
    load_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    figure.patch.set_alpha(0.0)
    grid = figure.add_gridspec(len(rows), 1, height_ratios=list(rows))
    axes = [figure.add_subplot(grid[row, 0]) for row in range(len(rows))]
    for axis in axes:
        axis.patch.set_alpha(0.0)
        axis.tick_params(length=2.5, width=0.6)
        for spine in axis.spines.values():
            spine.set_linewidth(0.6)
    return figure, axes


def use_log_ticks(axes: Axes, which: str, *, decades: float) -> None:
    """Make one axis ("x" or "y") logarithmic with plain ticks such as 1e-4, more of them over few decades."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2.5 else (1.0, 2.0, 5.0), numticks=7))
    axis.set_major_formatter(FuncFormatter(_format_power))
    axis.set_minor_formatter(NullFormatter())
    axis.set_tick_params(which="minor", length=0)


def _format_power(value: float, _position: int | None) -> str:
    return f"{value:g}" if 1e-3 <= value < 1e4 else f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def hide_frame(axes: Axes) -> None:
    """Leave only the tick labels of a grid or strip."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0)
