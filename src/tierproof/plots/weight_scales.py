"""Draw T1-INIT's measurements: the standard deviation of each layer's weights against the scheme it resembles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tierproof.checks.measurements.weight_scales import WeightScales
from tierproof.plots.chart import new_figure, use_log_ticks
from tierproof.plots.palette import ACCENT, INK, LINE, WARN
from tierproof.plots.read_label import read_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FACTOR = 2.0
"""Layers within this factor of what is expected lie in the shaded band."""
_MOST_LABELS = 4
_MARKERS = ("o", "s", "^", "D", "v")


@dataclass(frozen=True)
class _Layer:
    path: str
    kind: str
    std: float
    expected: float

    @property
    def ratio(self) -> float:
        return max(self.std / self.expected, self.expected / self.std)


def draw_weight_scales(measured: WeightScales) -> Figure | None:
    """Draw measured against expected standard deviations, log-log, outliers named."""
    layers = [
        _Layer(layer.path, layer.kind, layer.std, layer.expected_std)
        for layer in measured.layers
        if layer.std and layer.expected_std
    ]
    if not layers:
        return None
    figure, (axes,) = new_figure(3.0)
    low = max(min(min(layer.std, layer.expected) for layer in layers) / 3, 1e-305)
    high = max(max(layer.std, layer.expected) for layer in layers) * 3
    decades = math.log10(high) - math.log10(low)
    use_log_ticks(axes, "x", decades=decades)
    use_log_ticks(axes, "y", decades=decades)
    axes.fill_between(
        [low, high],
        [low / _FACTOR, high / _FACTOR],
        [low * _FACTOR, high * _FACTOR],
        color=LINE,
        alpha=0.22,
        linewidth=0,
        label=f"within a factor of {_FACTOR:g}",
    )
    axes.plot([low, high], [low, high], color=LINE, linewidth=0.9)
    _scatter(axes, layers)
    outliers = sorted((layer for layer in layers if layer.ratio > _FACTOR), key=lambda layer: -layer.ratio)
    _name_outliers(axes, outliers, low, high)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_xlabel("standard deviation expected by the scheme")
    axes.set_ylabel("measured")
    axes.legend(loc="upper left", handletextpad=0.4, borderaxespad=0.2)
    figure.set_label(
        f"Standard deviation of the weights of {len(layers)} layers, against the initialisation scheme that each "
        f"resembles; {len(outliers) or 'none'} off by more than a factor of {_FACTOR:g}."
    )
    return figure


def _scatter(axes: Axes, layers: Sequence[_Layer]) -> None:
    kinds = list(dict.fromkeys(layer.kind for layer in layers))
    for position, kind in enumerate(kinds):
        members = [layer for layer in layers if layer.kind == kind]
        colours = [WARN if layer.ratio > _FACTOR else ACCENT for layer in members]
        axes.scatter(
            [layer.expected for layer in members],
            [layer.std for layer in members],
            s=22,
            c=colours,
            marker=_MARKERS[position % len(_MARKERS)],
            alpha=0.75,
            linewidths=0,
            label=read_label(kind, longest=18) if position < len(_MARKERS) else None,
        )


def _name_outliers(axes: Axes, outliers: Sequence[_Layer], low: float, high: float) -> None:
    """Name the worst outliers, one line each, beside their points and never on top of each other."""
    taken: list[tuple[float, float]] = []
    middle = (low * high) ** 0.5
    for layer in outliers:
        if len(taken) == _MOST_LABELS:
            break
        if any(_near(layer.expected, x) and _near(layer.std, y) for x, y in taken):
            continue
        taken.append((layer.expected, layer.std))
        left = layer.expected < middle
        axes.annotate(
            read_label(layer.path, longest=24),
            (layer.expected, layer.std),
            fontsize=8.5,
            color=INK,
            xytext=(6 if left else -6, -8),
            textcoords="offset points",
            ha="left" if left else "right",
        )


def _near(one: float, other: float) -> bool:
    return max(one / other, other / one) < 1.6
