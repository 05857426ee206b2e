"""Draw T2-ROBUSTNESS's measurements: the share of answers kept against the strength of each perturbation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tierproof.analysis.robustness.robustness_figures import (
    PADDING,
    PRECISION,
    ModelRobustness,
    PerturbationFigures,
)
from tierproof.plots.chart import new_figure
from tierproof.plots.palette import ACCENT, INK, LINE, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHARES = ("swap", "drop", "insert", "order", "truncation", "typos", "shift")
_SIZES = ("embedding noise", "noise", "brightness")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_PANEL_IN, _LIST_IN = 2.7, 1.5


def draw_robustness(measured: ModelRobustness) -> Figure | None:
    """Draw one panel for edits, one for noise, and one for precision and padding; intervals as bands."""
    shares = _collect(measured, _SHARES)
    sizes = _collect(measured, _SIZES)
    listed = [each for name in (PRECISION, PADDING) for each in measured.of(name) if each.kept is not None]
    heights = [_PANEL_IN] * (bool(shares) + bool(sizes)) + ([_LIST_IN] if listed else [])
    if not heights:
        return None
    figure, panels = new_figure(sum(heights), rows=heights)
    rest = list(panels)
    for lines, label in (
        (shares, "share of the tokens, words or size"),
        (sizes, "relative to the values' own spread"),
    ):
        if lines:
            _draw_lines(rest.pop(0), lines, measured, label)
    if listed:
        _draw_list(rest.pop(0), listed, measured)
    figure.set_label(_describe(measured))
    return figure


def _collect(measured: ModelRobustness, names: Sequence[str]) -> dict[str, list[PerturbationFigures]]:
    found = {name: [each for each in measured.of(name) if each.kept is not None] for name in names}
    return {name: line for name, line in found.items() if line}


def _draw_lines(
    axes: Axes, lines: dict[str, list[PerturbationFigures]], measured: ModelRobustness, label: str
) -> None:
    start = 1.0 if measured.unperturbed is None else measured.unperturbed.value
    for number, (name, line) in enumerate(lines.items()):
        points = [(each.strength, each.kept) for each in line if each.kept is not None and each.strength > 0]
        colour = SERIES[number % len(SERIES)]
        along = [0.0, *(strength for strength, _ in points)]
        axes.plot(
            along,
            [start, *(kept.value for _, kept in points)],
            color=colour,
            marker=_MARKERS[number % len(_MARKERS)],
            markersize=4,
            linewidth=1.3,
            linestyle="-" if number < len(SERIES) else "--",
            label=name,
        )
        axes.fill_between(
            along,
            [start, *(kept.low for _, kept in points)],
            [start, *(kept.high for _, kept in points)],
            color=colour,
            alpha=0.1,
            linewidth=0,
        )
    _draw_chance(axes, measured)
    axes.set_xlim(left=0)
    _frame(axes, label, measured)
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.45, -0.24), ncols=3, handlelength=1.6, columnspacing=1.2
    )


def _draw_list(axes: Axes, listed: Sequence[PerturbationFigures], measured: ModelRobustness) -> None:
    """One line for each precision and side: a dot with its interval."""
    for place, each in enumerate(listed):
        if each.kept is not None:
            axes.plot([each.kept.low, each.kept.high], [place, place], color=LINE, linewidth=2.2)
            axes.plot([each.kept.value], [place], color=ACCENT, marker="o", markersize=5)
    if measured.chance is not None:
        axes.axvline(measured.chance, color=INK, linewidth=0.9, linestyle=":")
    names = [each.setting if each.name == PRECISION else f"padding {each.setting}" for each in listed]
    axes.set_yticks(range(len(listed)), names)
    axes.set_ylim(len(listed) - 0.5, -0.5)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel(_measure(measured))


def _draw_chance(axes: Axes, measured: ModelRobustness) -> None:
    if measured.chance is not None:
        axes.axhline(measured.chance, color=INK, linewidth=0.9, linestyle=":", label="chance")


def _frame(axes: Axes, label: str, measured: ModelRobustness) -> None:
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel(label)
    axes.set_ylabel(_measure(measured))


def _measure(measured: ModelRobustness) -> str:
    return "right answers" if measured.reference == "labels" else "answers kept"


def _describe(measured: ModelRobustness) -> str:
    worst = min(
        (each for each in measured if each.kept is not None),
        key=lambda each: each.kept.value if each.kept is not None else 1.0,
    )
    share = worst.kept.value if worst.kept is not None else 1.0
    chance = f"; chance {measured.chance:.0%}" if measured.chance is not None else ""
    return (
        f"Share of {_measure(measured)} under {len(measured.names)} perturbations, on {measured.rows} rows: least "
        f"under {worst.name} ({worst.setting}), {share:.0%}{chance}."
    )
