"""T1-SHAPE: which batch sizes and lengths the model accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tierproof.plots.chart import hide_frame, new_figure
from tierproof.plots.palette import BAD, GOOD
from tierproof.plots.read_measurements import Measurements, read_count, read_records

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 14


def draw_shape_cases(measurements: Measurements) -> Figure | None:
    """Draw `cases`: a batch × length grid; a case is told by its sign, not by its colour alone."""
    cases: dict[tuple[int, int], bool] = {}
    for record in read_records(measurements.get("cases")):
        batch, length = read_count(record.get("batch")), read_count(record.get("length"))
        if batch is not None and length is not None:
            cases[batch, length] = cases.get((batch, length), True) and record.get("outcome") == "ok"
    if len(cases) < 2:
        return None
    batches = sorted({batch for batch, _ in cases})[:_MOST]
    lengths = sorted({length for _, length in cases})[:_MOST]
    figure, (axes,) = new_figure(0.85 + 0.3 * len(batches))
    for (batch, length), ok in cases.items():
        if batch not in batches or length not in lengths:
            continue
        row, column, colour = batches.index(batch), lengths.index(length), GOOD if ok else BAD
        axes.bar([column], [0.9], bottom=row - 0.45, width=0.94, color=colour, alpha=0.2)
        sign, size = ("o", 5) if ok else ("x", 6)
        axes.plot([column], [row], sign, color=colour, markersize=size, markeredgewidth=1.8)
    axes.set_xlim(-0.5, len(lengths) - 0.5)
    axes.set_ylim(len(batches) - 0.5, -0.5)
    axes.set_xticks(range(len(lengths)), labels=[str(length) for length in lengths])
    axes.set_yticks(range(len(batches)), labels=[str(batch) for batch in batches])
    axes.set_xlabel("length")
    axes.set_ylabel("batch")
    hide_frame(axes)
    failed = sum(not ok for ok in cases.values())
    figure.set_label(
        f"{len(cases)} batch sizes and lengths tried (dot: accepted, cross: failed); "
        f"{failed or 'none'} failed."
    )
    return figure
