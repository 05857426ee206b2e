"""Draw T2-CAPACITY's measurements by depth: residual norm, effective rank, logit lens, and how alike the layers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tierproof.checks.measurements.capacity_curves import CapacityCurve, CapacityCurves
from tierproof.plots.chart import new_figure, use_log_ticks
from tierproof.plots.palette import ACCENT, INK, LINE, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PANEL_IN, _MAP_IN = 1.5, 3.2
# Beyond this ratio a linear axis hides the smaller values.
_LOG_RATIO = 20.0
_COLOURS = (ACCENT, LINE, SERIES[4])
# Numbers stay legible on a square of this opacity.
_MOST_OPAQUE = 0.6
_STYLES = ("-", "--", "-.")

Panel = Callable[["Axes", CapacityCurves], None]


def draw_capacity(measured: CapacityCurves) -> Figure | None:
    """Draw the panels for which there are measurements; None where there are none."""
    panels = _choose_panels(measured)
    if not panels:
        return None
    heights = [_MAP_IN if panel is _draw_alignment else _PANEL_IN for panel, _ in panels]
    figure, axes = new_figure(sum(heights), rows=heights)
    for axis, (panel, _) in zip(axes, panels, strict=True):
        panel(axis, measured)
    if len(measured.curves) > 1:
        axes[0].legend(loc="best", frameon=False)
    beside = " and ".join(curve.name for curve in measured.curves[1:])
    figure.set_label(
        f"By depth: {', '.join(words for _, words in panels)}" + (f"; beside: {beside}." if beside else ".")
    )
    return figure


def _choose_panels(measured: CapacityCurves) -> list[tuple[Panel, str]]:
    if not measured.curves:
        return []
    own = measured.curves[0]
    panels: list[tuple[Panel, str]] = []
    if len(own.norms) > 1:
        panels.append((_draw_norms, "norm of the residual stream"))
    if len(own.ranks) > 1:
        panels.append((_draw_ranks, "effective rank of the weights"))
    if any(value is not None for value in own.agreement):
        panels.append((_draw_agreement, "agreement of the logit lens with the answer"))
    if len(own.alignment) > 1:
        panels.append((_draw_alignment, "CKA between the layers"))
    return panels


def _draw_norms(axes: Axes, measured: CapacityCurves) -> None:
    _draw_lines(axes, measured, lambda curve: list(enumerate(curve.norms)))
    values = [norm for curve in measured.curves for norm in curve.norms if norm > 0]
    if values and max(values) > _LOG_RATIO * min(values):
        from math import log10

        use_log_ticks(axes, "y", decades=log10(max(values) / min(values)))
    else:
        axes.set_ylim(bottom=0)
    axes.set_ylabel("residual norm")
    axes.set_xlabel("behind block (0: what enters)")


def _draw_ranks(axes: Axes, measured: CapacityCurves) -> None:
    _draw_lines(axes, measured, lambda curve: [(number + 1, share) for number, share in curve.ranks])
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("effective rank\n/ full rank")
    axes.set_xlabel("block")


def _draw_agreement(axes: Axes, measured: CapacityCurves) -> None:
    _draw_lines(
        axes,
        measured,
        lambda curve: [(place, value) for place, value in enumerate(curve.agreement) if value is not None],
    )
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("logit lens:\nfirst choice agrees")
    axes.set_xlabel("behind block")


def _draw_lines(
    axes: Axes, measured: CapacityCurves, read: Callable[[CapacityCurve], Sequence[tuple[int, float]]]
) -> None:
    from matplotlib.ticker import MaxNLocator

    for place, curve in enumerate(measured.curves):
        points = read(curve)
        if points:
            axes.plot(
                [x for x, _ in points],
                [y for _, y in points],
                color=_COLOURS[place],
                linestyle=_STYLES[place],
                linewidth=1.6,
                marker="o" if place == 0 else None,
                markersize=3.5,
                label=curve.name,
            )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_alignment(axes: Axes, measured: CapacityCurves) -> None:
    """A grid of squares, so that the figure stays vector and needs no colour map of its own."""
    from matplotlib.patches import Rectangle
    from matplotlib.ticker import MaxNLocator

    rows = measured.curves[0].alignment
    for row, values in enumerate(rows):
        for column, value in enumerate(values):
            if value is not None:
                axes.add_patch(
                    Rectangle(
                        (column - 0.5, row - 0.5),
                        1,
                        1,
                        facecolor=ACCENT,
                        alpha=_MOST_OPAQUE * min(max(value, 0.0), 1.0),
                        linewidth=0,
                    )
                )
            if value is not None and len(rows) <= 8:
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=INK)
    axes.set_xlim(-0.5, len(rows) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("CKA between layers (the darkest is 1)")
    axes.set_ylabel("behind block")
