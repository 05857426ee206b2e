"""Draw T1-SHAPE's measurements: which batch sizes and lengths the model accepted."""

from __future__ import annotations

from collections import Counter
from enum import IntEnum
from typing import TYPE_CHECKING

from tierproof.checks.measurements.shape_sweep import ShapeSweep
from tierproof.plots.chart import hide_frame, new_figure
from tierproof.plots.palette import BAD, GOOD, LINE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 14


class _State(IntEnum):
    """How a case went; of several with one batch and length, the worst counts."""

    ACCEPTED = 0
    NOT_JUDGED = 1
    FAILED = 2


_STATES = {
    "ok": _State.ACCEPTED,
    "passed": _State.ACCEPTED,
    "failed": _State.FAILED,
    "raised": _State.FAILED,
}
_SIGNS = {_State.ACCEPTED: ("o", GOOD), _State.NOT_JUDGED: ("_", LINE), _State.FAILED: ("x", BAD)}


def draw_shape_cases(measured: ShapeSweep) -> Figure | None:
    """Draw a batch × length grid; signs and colours both mark the outcome."""
    cases: dict[tuple[int, int], _State] = {}
    for case in measured.cases:
        if case.batch is not None and case.length is not None:
            size = (case.batch, case.length)
            # An outcome such as "out of memory" or "not tried: …" is neither accepted nor failed.
            state = _STATES.get(case.outcome, _State.NOT_JUDGED)
            cases[size] = max(cases.get(size, _State.ACCEPTED), state)
    if len(cases) < 2:
        return None
    batches = sorted({batch for batch, _ in cases})[:_MOST]
    lengths = sorted({length for _, length in cases})[:_MOST]
    figure, (axes,) = new_figure(0.85 + 0.3 * len(batches))
    for (batch, length), state in cases.items():
        if batch in batches and length in lengths:
            _draw_case(axes, batches.index(batch), lengths.index(length), state)
    axes.set_xlim(-0.5, len(lengths) - 0.5)
    axes.set_ylim(len(batches) - 0.5, -0.5)
    axes.set_xticks(range(len(lengths)), labels=[str(length) for length in lengths])
    axes.set_yticks(range(len(batches)), labels=[str(batch) for batch in batches])
    axes.set_xlabel("length")
    axes.set_ylabel("batch")
    hide_frame(axes)
    figure.set_label(_describe(Counter(cases.values())))
    return figure


def _draw_case(axes: Axes, row: int, column: int, state: _State) -> None:
    sign, colour = _SIGNS[state]
    axes.bar([column], [0.9], bottom=row - 0.45, width=0.94, color=colour, alpha=0.2)
    axes.plot([column], [row], sign, color=colour, markersize=5.5, markeredgewidth=1.8)


def _describe(counts: Counter[_State]) -> str:
    text = f"{counts.total()} combinations of batch size and length: {counts[_State.ACCEPTED]} accepted (dot)"
    if counts[_State.FAILED]:
        text += f", {counts[_State.FAILED]} failed (cross)"
    if counts[_State.NOT_JUDGED]:
        text += f", {counts[_State.NOT_JUDGED]} not tried or not judged (dash)"
    return text + "."
