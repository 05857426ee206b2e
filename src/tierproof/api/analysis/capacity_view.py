"""What `tierproof.capacity` returns: the figures of a model's parts, shown, drawn and saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tierproof.analysis.capacity.capacity_figures import ModelCapacity
from tierproof.api.analysis.analysis_view import AnalysisView
from tierproof.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tierproof.analysis.capacity.capacity_figures import CapacityFigures, Unusual


@dataclass(frozen=True, eq=False)
class CapacityView(AnalysisView[ModelCapacity]):
    """The capacity of a model; in a notebook it shows itself as tables and a figure."""

    @property
    def own(self) -> CapacityFigures:
        """The figures of the model."""
        return self.measured.own

    @property
    def twin(self) -> CapacityFigures | None:
        """The figures of a freshly initialised instance; None where `measured.twin_reason` says why."""
        return self.measured.twin

    @property
    def reference(self) -> CapacityFigures | None:
        """The figures of the model that it is compared with."""
        return self.measured.reference

    @property
    def unusual(self) -> tuple[Unusual, ...]:
        """What stands out among layers of the same kind, most of all first."""
        return self.measured.unusual

    def figure(self) -> Figure:
        """Residual norm, effective rank, logit lens and CKA by depth; needs matplotlib.

        Raises:
            UsageError: the model has no stack of layers to draw.
        """
        from tierproof.plots.registry import draw_figure

        drawn = draw_figure("T2-CAPACITY", self.measured.to_dict())
        if drawn is None:
            raise UsageError(
                "the model has no stack of layers, so there is nothing to draw by depth",
                hint="The tables and `to_dict()` have its other figures.",
            )
        return drawn

    def __str__(self) -> str:
        from tierproof.reporters.capacity_page import summarise_capacity

        return "\n".join(summarise_capacity(self.measured))

    __repr__ = __str__

    def _render_page(self) -> str:
        from tierproof.reporters.capacity_page import render_capacity_page

        return render_capacity_page(self.measured)

    def _repr_html_(self) -> str:
        from tierproof.reporters.capacity_page import render_capacity

        return render_capacity(self.measured)
