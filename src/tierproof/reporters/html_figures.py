"""The figures of a report as inline SVG, or why there are none."""

from __future__ import annotations

from dataclasses import dataclass, field

from tierproof.core.report import Report
from tierproof.errors import BrokenPackageError, MissingPackageError
from tierproof.plots.registry import FIGURES, draw_figure
from tierproof.plots.svg import render_inline_svg
from tierproof.reporters.attention_page.report_section import has_section


@dataclass(frozen=True, slots=True)
class DrawnFigure:
    """One figure: an `<svg>` element and what it shows, in words."""

    svg: str
    caption: str


@dataclass(frozen=True, slots=True)
class ReportFigures:
    """Figures by their result's place in the report; `problem` says why they are missing."""

    by_result: dict[int, DrawnFigure] = field(default_factory=dict)
    problem: str = ""


def draw_report_figures(report: Report) -> ReportFigures:
    """Draw what the measurements allow; without a working matplotlib, say so and draw nothing."""
    drawn: dict[int, DrawnFigure] = {}
    for place, result in enumerate(report.results):
        if result.code not in FIGURES or not result.measurements or has_section(result):
            continue
        try:
            figure = draw_figure(result.code, result.measurements)
        except MissingPackageError as error:
            return ReportFigures(
                problem=f"Figures need matplotlib ({error.command}); the tables show the same numbers."
            )
        except BrokenPackageError as error:
            return ReportFigures(problem=str(error))
        if figure is not None:
            drawn[place] = DrawnFigure(render_inline_svg(figure), str(figure.get_label()))
    return ReportFigures(drawn)
