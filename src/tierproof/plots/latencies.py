"""Draw T1-SPEED's measurements: how long each forward pass took, and its share of the machine's peak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tierproof.checks.measurements.latencies import Latencies
from tierproof.plots.chart import hide_frame, new_figure
from tierproof.plots.palette import ACCENT, INK, LINE, WARN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_JITTER = (0.0, 0.5, -0.5, 0.25, -0.25, 0.75, -0.75, 0.1, -0.1, 0.6, -0.6)
"""Fixed offsets that keep equal latencies apart; the same report is always the same picture."""


def draw_latencies(measured: Latencies) -> Figure | None:
    """Draw the latencies as a strip with their percentiles, and the share of the peak as a bar."""
    latencies, share = measured.latencies_ms, measured.peak_share
    if len(latencies) < 2 and share is None:
        return None
    heights = ([1.55] if len(latencies) > 1 else []) + ([0.62] if share is not None else [])
    figure, panels = new_figure(sum(heights), rows=heights)
    captions = []
    if len(latencies) > 1:
        _draw_strip(panels[0], measured)
        captions.append(
            f"Latency of {len(latencies)} forward passes after warm-up, "
            f"from {min(latencies):.3g} to {max(latencies):.3g} ms."
        )
    if share is not None:
        _draw_share(panels[-1], share)
        captions.append(f"The model reaches {share:.1%} of this machine's measured peak.")
    figure.set_label(" ".join(captions))
    return figure


def _draw_strip(axes: Axes, measured: Latencies) -> None:
    latencies = measured.latencies_ms
    heights = [_JITTER[index % len(_JITTER)] for index in range(len(latencies))]
    axes.scatter(latencies, heights, s=18, color=ACCENT, alpha=0.6, linewidths=0)
    marks = [
        ("median", measured.median_ms, INK),
        ("p90", measured.p90_ms, WARN),
        ("p99", measured.p99_ms, WARN),
    ]
    for level, (name, at, colour) in enumerate(marks):
        if at is None:
            continue
        left = at < (min(latencies) + max(latencies)) / 2
        axes.axvline(at, ymax=0.66, color=colour, linewidth=1.1)
        axes.annotate(
            f"{name} {at:.3g} ms",
            (at, 1.25 + 0.62 * level),
            fontsize=8.5,
            color=INK,
            va="bottom",
            xytext=(3 if left else -3, 0),
            textcoords="offset points",
            ha="left" if left else "right",
        )
    spread = (max(latencies) - min(latencies)) or max(latencies) or 1.0
    axes.set_xlim(min(latencies) - 0.08 * spread, max(latencies) + 0.08 * spread)
    axes.set_ylim(-1, 3.2)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("forward pass, ms")


def _draw_share(axes: Axes, share: float) -> None:
    axes.barh([0], [1.0], height=0.5, color=LINE, alpha=0.3)
    axes.barh([0], [min(share, 1.0)], height=0.5, color=ACCENT)
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.3, 0.3)
    axes.set_yticks([])
    axes.set_xticks([])
    axes.set_title(f"share of the machine's measured peak: {share:.1%}", loc="left")
    hide_frame(axes)
