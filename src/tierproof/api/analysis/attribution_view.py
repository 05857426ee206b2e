"""What `tierproof.attribute` returns: the scores of every example, shown, drawn and saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tierproof.analysis.attribution.attribution_figures import ModelAttribution
from tierproof.api.analysis.analysis_view import AnalysisView
from tierproof.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tierproof.analysis.attribution.attribution_figures import ExampleAttribution


@dataclass(frozen=True, eq=False)
class AttributionView(AnalysisView[ModelAttribution]):
    """The attribution of a model's answers; in a notebook it shows itself as coloured tokens or heat maps."""

    @property
    def examples(self) -> tuple[ExampleAttribution, ...]:
        """The examples that have scores, in order."""
        return self.measured.examples

    @property
    def left_out(self) -> Mapping[str, str]:
        """By method, why no example has scores of it."""
        return self.measured.left_out

    def figure(self, number: int | None = None) -> Figure:
        """The scores of one example, the first one by default; needs matplotlib.

        Raises:
            UsageError: no example, or none of that number, has scores.
        """
        from tierproof.plots.attribution_scores import draw_attribution
        from tierproof.plots.load_matplotlib import chart_style

        with chart_style():
            drawn = draw_attribution(self.measured, number)
        if drawn is None:
            raise UsageError(
                "no example has scores, so there is nothing to draw",
                hint="`measured.skipped` and `measured.stopped` say why.",
            )
        return drawn

    def __str__(self) -> str:
        lines = [
            f"{self.measured.model}: {len(self.examples)} examples attributed, on {self.measured.inputs}."
        ]
        lines += [f"  {each.number}: {each.target}; {_name_largest(each)}" for each in self.examples]
        lines += [f"  left out: {method}. {why}" for method, why in self.left_out.items()]
        lines += [f"  example {number} skipped: {why}" for number, why in self.measured.skipped.items()]
        lines += [f"  {self.measured.stopped}"] if self.measured.stopped else []
        return "\n".join(lines)

    __repr__ = __str__

    def _render_page(self) -> str:
        from tierproof.reporters.attribution_tokens import render_attribution_page

        return render_attribution_page(self.measured)

    def _repr_html_(self) -> str:
        from tierproof.reporters.attribution_tokens import render_attribution

        return render_attribution(self.measured)


def _name_largest(example: ExampleAttribution) -> str:
    """The three pieces with the largest scores, by the first method that there is."""
    if not example.methods:
        return "no scores"
    method = example.methods[0]
    scored = [
        (abs(score), score, piece)
        for part in example.parts
        for piece, score in zip(part.pieces, part.scores.get(method, ()), strict=False)
    ]
    largest = sorted(scored, key=lambda each: -each[0])[:3]
    return f"{method}: " + ", ".join(f"{piece.strip()} {score:+.3g}" for _, score, piece in largest)
