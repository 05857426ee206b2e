"""Which check has which figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tierproof.checks.measurements.adversarial_curves import AdversarialCurves
from tierproof.checks.measurements.attention_heads import read_attention
from tierproof.checks.measurements.attributions import read_attributions
from tierproof.checks.measurements.capacity_curves import CapacityCurves
from tierproof.checks.measurements.gradient_norms import GradientNorms
from tierproof.checks.measurements.latencies import Latencies
from tierproof.checks.measurements.memory_use import MemoryUse
from tierproof.checks.measurements.position_influence import PositionInfluence
from tierproof.checks.measurements.robustness_curves import read_robustness
from tierproof.checks.measurements.shape_sweep import ShapeSweep
from tierproof.checks.measurements.weight_scales import WeightScales
from tierproof.core.json_value import JsonValue
from tierproof.plots.adversarial_curves import draw_adversarial
from tierproof.plots.attention_heads import draw_attention
from tierproof.plots.attribution_scores import draw_attribution
from tierproof.plots.capacity import draw_capacity
from tierproof.plots.gradient_norms import draw_gradient_norms
from tierproof.plots.latencies import draw_latencies
from tierproof.plots.load_matplotlib import chart_style
from tierproof.plots.memory_use import draw_memory_use
from tierproof.plots.position_influence import draw_influence
from tierproof.plots.robustness_curves import draw_robustness
from tierproof.plots.shape_sweep import draw_shape_cases
from tierproof.plots.weight_scales import draw_weight_scales

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class _Drawing:
    """How a check's document is read, and how what it says is drawn."""

    read: Callable[[Mapping[str, JsonValue]], Any]
    draw: Callable[[Any], Figure | None]


FIGURES: Mapping[str, _Drawing] = {
    "T1-SHAPE": _Drawing(ShapeSweep.from_document, draw_shape_cases),
    "T1-GRAD": _Drawing(GradientNorms.from_document, draw_gradient_norms),
    "T1-INIT": _Drawing(WeightScales.from_document, draw_weight_scales),
    "T1-MEM": _Drawing(MemoryUse.from_document, draw_memory_use),
    "T1-SPEED": _Drawing(Latencies.from_document, draw_latencies),
    "T1-CAUSAL": _Drawing(PositionInfluence.from_document, draw_influence),
    "T2-ATTENTION": _Drawing(read_attention, draw_attention),
    "T2-CAPACITY": _Drawing(CapacityCurves.from_document, draw_capacity),
    "T2-ATTRIBUTION": _Drawing(read_attributions, draw_attribution),
    "T2-ROBUSTNESS": _Drawing(read_robustness, draw_robustness),
    "T2-ADVERSARIAL": _Drawing(AdversarialCurves.from_document, draw_adversarial),
}


def draw_figure(code: str, measurements: Mapping[str, JsonValue]) -> Figure | None:
    """Draw the figure of the check `code`; its label says in words what it shows.

    Gives None for a check without a figure and for measurements that lack what the figure needs.

    Raises:
        MissingPackageError: matplotlib is not installed.
        BrokenPackageError: matplotlib is installed and its import fails.
    """
    drawing = FIGURES.get(code)
    if drawing is None:
        return None
    with chart_style():
        return drawing.draw(drawing.read(measurements))
