"""Draw T1-GRAD's measurements: the gradient norm of each module, in forward order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tierproof.checks.measurements.gradient_norms import GradientNorms, ModuleGradient
from tierproof.plots.chart import new_figure, use_log_ticks
from tierproof.plots.palette import ACCENT, BAD, LINE
from tierproof.plots.read_label import read_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_BARS = 18
"""Beyond this many modules a line over their order is easier to read than one labelled bar each."""


def draw_gradient_norms(measured: GradientNorms) -> Figure | None:
    """Draw one bar per module, or a line where they are many; zero and non-finite norms in red."""
    gradients = measured.modules
    if len(gradients) < 2:
        return None
    figure = _draw_bars(gradients) if len(gradients) <= _MOST_BARS else _draw_line(gradients)
    figure.set_label(_describe(gradients))
    return figure


def _is_broken(gradient: ModuleGradient) -> bool:
    return not math.isfinite(gradient.gradient_norm) or gradient.gradient_norm <= 0


def _label(gradient: ModuleGradient) -> str:
    norm = gradient.gradient_norm
    if math.isnan(norm):
        return "NaN"
    return "infinite" if math.isinf(norm) else f"{norm:.1e}" if norm else "0"


def _describe(gradients: Sequence[ModuleGradient]) -> str:
    sound = [gradient.gradient_norm for gradient in gradients if not _is_broken(gradient)]
    text = f"Gradient norm of {len(gradients)} modules in forward order"
    if sound:
        text += f", from {min(sound):.2g} to {max(sound):.2g}"
    broken = len(gradients) - len(sound)
    return f"{text}; {broken} zero or non-finite (red)." if broken else f"{text}."


def _floor(gradients: Sequence[ModuleGradient]) -> tuple[float, float]:
    sound = [gradient.gradient_norm for gradient in gradients if not _is_broken(gradient)] or [1.0]
    return max(min(sound) / 4, 1e-305), max(sound) * 4


def _draw_bars(gradients: Sequence[ModuleGradient]) -> Figure:
    figure, (axes,) = new_figure(0.75 + 0.19 * len(gradients))
    low, high = _floor(gradients)
    rows = list(range(len(gradients)))
    lengths = [0.0 if _is_broken(gradient) else gradient.gradient_norm - low for gradient in gradients]
    use_log_ticks(axes, "x", decades=math.log10(high) - math.log10(low))
    axes.barh(rows, lengths, left=low, height=0.66, color=ACCENT)
    broken = [row for row in rows if _is_broken(gradients[row])]
    axes.plot([low * 1.15] * len(broken), broken, "x", color=BAD, markersize=5, markeredgewidth=1.6)
    for row, gradient in zip(rows, gradients, strict=True):
        at = low * 1.15 if _is_broken(gradient) else gradient.gradient_norm
        axes.annotate(
            f" {_label(gradient)}",
            (at, row),
            va="center",
            fontsize=8.5,
            color=BAD if _is_broken(gradient) else None,
            xytext=(10 if _is_broken(gradient) else 1, 0),
            textcoords="offset points",
        )
    axes.set_yticks(rows, labels=[read_label(gradient.path) for gradient in gradients])
    axes.set_ylim(len(gradients) - 0.4, -0.6)
    axes.set_xlim(low, high * 8)
    axes.set_xlabel("gradient norm (log scale)")
    return figure


def _draw_line(gradients: Sequence[ModuleGradient]) -> Figure:
    figure, (axes,) = new_figure(2.7)
    low, high = _floor(gradients)
    use_log_ticks(axes, "y", decades=math.log10(high) - math.log10(low))
    norms = [math.nan if _is_broken(gradient) else gradient.gradient_norm for gradient in gradients]
    axes.plot(range(len(norms)), norms, color=ACCENT, linewidth=1.1, marker="o", markersize=2.4)
    broken = [index for index, gradient in enumerate(gradients) if _is_broken(gradient)]
    if broken:
        axes.plot(broken, [low * 1.3] * len(broken), "x", color=BAD, markersize=5, markeredgewidth=1.6)
        names = read_label(gradients[broken[0]].path)
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        left = broken[0] < len(gradients) / 2
        axes.annotate(
            f"{names}{more}: {_label(gradients[broken[0]])}",
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
