"""What `tierproof.robustness` returns: the share of answers kept under each perturbation, shown, drawn and saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tierproof.analysis.robustness.robustness_figures import ModelRobustness
from tierproof.api.analysis.analysis_view import AnalysisView
from tierproof.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tierproof.analysis.robustness.robustness_figures import PerturbationFigures


@dataclass(frozen=True, eq=False)
class RobustnessView(AnalysisView[ModelRobustness]):
    """The robustness of a model; in a notebook it shows itself as curves and a table."""

    @property
    def perturbations(self) -> tuple[PerturbationFigures, ...]:
        """The figures of each perturbation at each strength."""
        return self.measured.perturbations

    @property
    def not_measured(self) -> tuple[tuple[str, str], ...]:
        """What was not measured, and why."""
        return self.measured.not_measured

    def figure(self) -> Figure:
        """The share of answers kept against the strength, with intervals and the chance line; needs matplotlib.

        Raises:
            UsageError: there is nothing to draw.
        """
        from tierproof.plots.load_matplotlib import chart_style
        from tierproof.plots.robustness_curves import draw_robustness

        with chart_style():
            figure = draw_robustness(self.measured)
        if figure is None:
            raise UsageError(
                "no share of answers was measured, so there is nothing to draw",
                hint="`not_measured` says why; pass at least two examples where the answer is a vector.",
            )
        return figure

    def __str__(self) -> str:
        from tierproof.reporters.robustness_table import describe_robustness, write_interval

        lines = [f"Robustness of {self.measured.model}, on {self.measured.inputs}."]
        lines.append(describe_robustness(self.measured))
        lines += [
            f"  {name:<16} {each.setting:<34} {write_interval(each.kept)}"
            for name in self.measured.names
            for each in self.measured.of(name)
        ]
        lines += [f"  not measured: {name}: {reason}" for name, reason in self.not_measured]
        return "\n".join(lines)

    __repr__ = __str__

    def _render_page(self) -> str:
        from tierproof.reporters.robustness_table import render_robustness_page

        return render_robustness_page(self.measured)

    def _repr_html_(self) -> str:
        from tierproof.reporters.robustness_table import render_robustness

        return render_robustness(self.measured)
