"""Which check has which figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tierproof.plots.gradient_norms import draw_gradient_norms
from tierproof.plots.influence import draw_influence
from tierproof.plots.latencies import draw_latencies
from tierproof.plots.load_matplotlib import chart_style
from tierproof.plots.memory_use import draw_memory_use
from tierproof.plots.read_measurements import Measurements
from tierproof.plots.shape_cases import draw_shape_cases
from tierproof.plots.weight_scales import draw_weight_scales

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: Mapping[str, Callable[[Measurements], Figure | None]] = {
    "T1-SHAPE": draw_shape_cases,
    "T1-GRAD": draw_gradient_norms,
    "T1-INIT": draw_weight_scales,
    "T1-MEM": draw_memory_use,
    "T1-SPEED": draw_latencies,
    "T1-CAUSAL": draw_influence,
}


def draw_figure(code: str, measurements: Measurements) -> Figure | None:
    """Draw the figure of the check `code`; its label says in words what it shows.

    Gives None for a check without a figure and for measurements that lack what the figure needs.

    Raises:
        MissingPackageError: matplotlib is not installed.
        BrokenPackageError: matplotlib is installed and its import fails.
    """
    draw = FIGURES.get(code)
    if draw is None:
        return None
    with chart_style():
        return draw(measurements)
