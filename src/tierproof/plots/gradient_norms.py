"""T1-GRAD: the gradient norm of each module, in forward order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tierproof.plots.chart import new_figure, use_log_ticks
from tierproof.plots.palette import ACCENT, BAD, LINE
from tierproof.plots.read_measurements import Measurements, read_label, read_number, read_records

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BARS = 18
"""Beyond this many modules a line over their order is easier to read than one labelled bar each."""


@dataclass(frozen=True)
class _Gradient:
    path: str
    norm: float

    @property
    def broken(self) -> bool:
        return not math.isfinite(self.norm) or self.norm <= 0

    @property
    def label(self) -> str:
        if math.isnan(self.norm):
            return "NaN"
        return "infinite" if math.isinf(self.norm) else f"{self.norm:.1e}" if self.norm else "0"


def draw_gradient_norms(measurements: Measurements) -> Figure | None:
    """Draw `modules`: one bar per module, or a line where they are many; zero and non-finite in red."""
    gradients = [
        _Gradient(str(record.get("path", "")), norm)
        for record in read_records(measurements.get("modules"))
        if (norm := read_number(record.get("gradient_norm"))) is not None
    ]
    if len(gradients) < 2:
        return None
    figure = _draw_bars(gradients) if len(gradients) <= _MOST_BARS else _draw_line(gradients)
    figure.set_label(_describe(gradients))
    return figure


def _describe(gradients: Sequence[_Gradient]) -> str:
    sound = [gradient.norm for gradient in gradients if not gradient.broken]
    text = f"Gradient norm of {len(gradients)} modules in forward order"
    if sound:
        text += f", from {min(sound):.2g} to {max(sound):.2g}"
    broken = len(gradients) - len(sound)
    return f"{text}; {broken} zero or non-finite (red)." if broken else f"{text}."


def _floor(gradients: Sequence[_Gradient]) -> tuple[float, float]:
    sound = [gradient.norm for gradient in gradients if not gradient.broken] or [1.0]
    return max(min(sound) / 4, 1e-305), max(sound) * 4


def _draw_bars(gradients: Sequence[_Gradient]) -> Figure:
    figure, (axes,) = new_figure(0.75 + 0.19 * len(gradients))
    low, high = _floor(gradients)
    rows = list(range(len(gradients)))
    lengths = [0.0 if gradient.broken else gradient.norm - low for gradient in gradients]
    use_log_ticks(axes, "x", decades=math.log10(high) - math.log10(low))
    axes.barh(rows, lengths, left=low, height=0.66, color=ACCENT)
    broken = [row for row in rows if gradients[row].broken]
    axes.plot([low * 1.15] * len(broken), broken, "x", color=BAD, markersize=5, markeredgewidth=1.6)
    for row, gradient in zip(rows, gradients, strict=True):
        at = low * 1.15 if gradient.broken else gradient.norm
        axes.annotate(
            f" {gradient.label}",
            (at, row),
            va="center",
            fontsize=8.5,
            color=BAD if gradient.broken else None,
            xytext=(10 if gradient.broken else 1, 0),
            textcoords="offset points",
        )
    axes.set_yticks(rows, labels=[read_label(gradient.path) for gradient in gradients])
    axes.set_ylim(len(gradients) - 0.4, -0.6)
    axes.set_xlim(low, high * 8)
    axes.set_xlabel("gradient norm (log scale)")
    return figure


def _draw_line(gradients: Sequence[_Gradient]) -> Figure:
    figure, (axes,) = new_figure(2.7)
    low, high = _floor(gradients)
    use_log_ticks(axes, "y", decades=math.log10(high) - math.log10(low))
    norms = [math.nan if gradient.broken else gradient.norm for gradient in gradients]
    axes.plot(range(len(norms)), norms, color=ACCENT, linewidth=1.1, marker="o", markersize=2.4)
    broken = [index for index, gradient in enumerate(gradients) if gradient.broken]
    if broken:
        axes.plot(broken, [low * 1.3] * len(broken), "x", color=BAD, markersize=5, markeredgewidth=1.6)
        names = read_label(gradients[broken[0]].path)
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        left = broken[0] < len(gradients) / 2
        axes.annotate(
            f"{names}{more}: {gradients[broken[0]].label}",
            (broken[0], low * 1.3),
            color=BAD,
            fontsize=8.5,
            xytext=(6 if left else -6, 5),
            textcoords="offset points",
            ha="left" if left else "right",
        )
    _mark_blocks(axes, [gradient.path for gradient in gradients])
    axes.set_ylim(low / 1.5, high)
    axes.set_xlim(-1, len(gradients))
    axes.set_ylabel("gradient norm (log)")
    axes.grid(axis="y", alpha=0.35)
    return figure


def _mark_blocks(axes: Axes, paths: Sequence[str]) -> None:
    """Tick the first module of each numbered block; without blocks, number the modules."""
    first: dict[str, tuple[int, str]] = {}
    stem = ""
    for index, path in enumerate(paths):
        parts = path.split(".")
        at = next((i for i, part in enumerate(parts) if part.isdigit()), None)
        if at is not None:
            stem = stem or ".".join(parts[:at])
            first.setdefault(".".join(parts[: at + 1]), (index, parts[at]))
    if len(first) < 2:
        axes.set_xlabel("modules in forward order")
        return
    starts = list(first.values())
    step = 1 + (len(starts) - 1) // 16
    axes.set_xticks([index for index, _ in starts[::step]], labels=[number for _, number in starts[::step]])
    for index, _ in starts:
        axes.axvline(index - 0.5, color=LINE, linewidth=0.5, alpha=0.45)
    axes.set_xlabel(f"modules in forward order; numbers: {read_label(stem)}.N")
