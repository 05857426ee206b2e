"""Draw T1-MEM's measurements: what the memory of a training step is made of, and what other sizes would need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tierproof.checks.measurements.memory_use import PARTS, MemoryUse
from tierproof.plots.chart import hide_frame, new_figure
from tierproof.plots.palette import ACCENT, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_CELLS = 8


def draw_memory_use(measured: MemoryUse) -> Figure | None:
    """Draw the breakdown as one stacked bar and the forecast as a batch × length grid."""
    parts = [(part, size) for part, size in measured.breakdown_bytes.items() if size]
    forecast = {
        (cell.batch, cell.length): cell.training_bytes
        for cell in measured.forecast
        if cell.length is not None
    }
    if not parts and not forecast:
        return None
    batches = sorted({batch for batch, _ in forecast})[:_MOST_CELLS]
    heights = ([1.45] if parts else []) + ([0.65 + 0.3 * len(batches)] if forecast else [])
    figure, panels = new_figure(sum(heights), rows=heights)
    captions = []
    if parts:
        _draw_parts(panels[0], parts)
        total = sum(size for _, size in parts)
        captions.append(f"One training step takes {_format_bytes(total)}, split by use.")
    if forecast:
        _draw_forecast(panels[-1], forecast, batches)
        captions.append("Forecast for other batch sizes and lengths.")
    figure.set_label(" ".join(captions))
    return figure


def _draw_parts(axes: Axes, parts: Sequence[tuple[str, float]]) -> None:
    left = 0.0
    for name, size in parts:
        colour = SERIES[PARTS.index(name)]
        axes.barh([0], [size], left=left, height=0.5, color=colour, label=f"{name} {_format_bytes(size)}")
        left += size
    axes.set_xlim(0, left)
    axes.set_ylim(-0.3, 0.3)
    axes.set_yticks([])
    axes.set_xticks([])
    hide_frame(axes)
    axes.set_title(f"one training step: {_format_bytes(left)}", loc="left")
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.02),
        ncols=2,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=1.4,
        borderaxespad=0,
    )


def _draw_forecast(axes: Axes, cells: Mapping[tuple[int, int], float], batches: Sequence[int]) -> None:
    lengths = sorted({length for _, length in cells})[:_MOST_CELLS]
    largest = max(cells.values()) or 1.0
    for row, batch in enumerate(batches):
        for column, length in enumerate(lengths):
            size = cells.get((batch, length))
            if size is None:
                continue
            axes.bar(
                [column],
                [0.92],
                bottom=row - 0.46,
                width=0.96,
                color=ACCENT,
                alpha=0.06 + 0.34 * size / largest,
            )
            axes.text(
                column,
                row,
                _format_bytes(size),
                ha="center",
                va="center",
                fontsize=8.5 if len(lengths) < 6 else 7,
            )
    axes.set_xlim(-0.5, len(lengths) - 0.5)
    axes.set_ylim(len(batches) - 0.5, -0.5)
    axes.set_xticks(range(len(lengths)), labels=[str(length) for length in lengths])
    axes.set_yticks(range(len(batches)), labels=[str(batch) for batch in batches])
    axes.set_xlabel("length")
    axes.set_ylabel("batch")
    axes.set_title("training step, forecast", loc="left")
    hide_frame(axes)


def _format_bytes(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} TiB" if size < 1e6 else f"{size:.1e} TiB"
