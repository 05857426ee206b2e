"""What `tierproof.adversarial` returns: the searches and the inputs that they found, shown, drawn and saved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tierproof.analysis.adversarial.adversarial_figures import ModelAdversarial
from tierproof.api.analysis.analysis_view import AnalysisView
from tierproof.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tierproof.analysis.adversarial.adversarial_figures import AttackedRow, SearchFigures


@dataclass(frozen=True, eq=False)
class AdversarialView(AnalysisView[ModelAdversarial]):
    """Adversarial tokens of a model; in a notebook they show themselves as curves and the inputs found."""

    @property
    def searches(self) -> tuple[SearchFigures, ...]:
        """HotFlip, greedy coordinate and random search."""
        return self.measured.searches

    @property
    def rows(self) -> tuple[AttackedRow, ...]:
        """The rows that were searched, as they were before."""
        return self.measured.rows

    def figure(self) -> Figure:
        """The share of answers turned against forward passes and tokens changed; needs matplotlib.

        Raises:
            UsageError: there is nothing to draw.
        """
        from tierproof.checks.measurements.adversarial_curves import AdversarialCurves
        from tierproof.plots.adversarial_curves import draw_adversarial
        from tierproof.plots.load_matplotlib import chart_style

        with chart_style():
            figure = draw_adversarial(AdversarialCurves.of(self.measured))
        if figure is None:
            raise UsageError(
                "no row was searched, so there is nothing to draw", hint="Print the result; it says why."
            )
        return figure

    def __str__(self) -> str:
        from tierproof.reporters.adversarial_table import describe_adversarial
        from tierproof.reporters.robustness_table import write_interval

        lines = [f"Adversarial tokens of {self.measured.model}, on {self.measured.inputs}."]
        lines.append(describe_adversarial(self.measured))
        for each in self.searches:
            tokens = "" if each.median_tokens is None else f", {each.median_tokens:g} tokens in the median"
            lines.append(f"  {each.name:<18} turns {write_interval(each.turned)}{tokens}")
        return "\n".join(lines)

    __repr__ = __str__

    def _render_page(self) -> str:
        from tierproof.reporters.adversarial_table import render_adversarial_page

        return render_adversarial_page(self.measured)

    def _repr_html_(self) -> str:
        from tierproof.reporters.adversarial_table import render_adversarial

        return render_adversarial(self.measured)
