"""Draw T2-ADVERSARIAL's measurements: the share of answers turned against forward passes and tokens changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tierproof.checks.measurements.adversarial_curves import AdversarialCurves, Curve
from tierproof.plots.chart import new_figure
from tierproof.plots.palette import ACCENT, LINE, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = {"hotflip": ACCENT, "greedy coordinate": SERIES[2], "random": LINE}


def draw_adversarial(measured: AdversarialCurves) -> Figure | None:
    """Draw two panels of steps, one line for each search; the bar at the end is its 95% interval."""
    if not measured.searches:
        return None
    figure, (passes, tokens) = new_figure(4.4, rows=(1.0, 1.0))
    end = max([measured.budget, *(point[0] for each in measured.searches for point in each.by_passes)])
    most = max([1.0, *(point[0] for each in measured.searches for point in each.by_tokens)])
    for place, each in enumerate(measured.searches):
        colour = _COLOURS.get(each.name, SERIES[place % len(SERIES)])
        _draw_steps(passes, each.by_passes, float(end), colour, each.name)
        _draw_steps(tokens, each.by_tokens, most + 0.5, colour, each.name)
        at = end * (1.02 + 0.02 * place)
        passes.plot([at, at], [each.turned.low, each.turned.high], color=colour, linewidth=2)
    for axes, label in ((passes, "forward passes for each row"), (tokens, "tokens changed")):
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(left=0)
        axes.set_xlabel(label)
        axes.set_ylabel("answers turned")
    passes.legend(loc="upper left", handlelength=1.6, borderaxespad=0.2)
    figure.set_label(
        "Share of answers turned: "
        + ", ".join(f"{each.name} {each.turned.value:.0%}" for each in measured.searches)
        + f", each with {measured.budget} forward passes for a row."
    )
    return figure


def _draw_steps(axes: Axes, curve: Curve, end: float, colour: str, name: str) -> None:
    last = curve[-1][1] if curve else 0.0
    points = [(0.0, 0.0), *curve, (max(end, curve[-1][0] if curve else 0.0), last)]
    axes.step(
        [price for price, _ in points],
        [share for _, share in points],
        where="post",
        color=colour,
        linewidth=1.5,
        linestyle="--" if name == "random" else "-",
        label=name,
    )
