"""The report as one self-contained HTML file, and as a fragment for notebooks."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding
from tierproof.core.report import Report
from tierproof.reporters.attention_page.render_page import allow_script
from tierproof.reporters.attention_page.report_section import render_result_section
from tierproof.reporters.clean_text import clean_text
from tierproof.reporters.html_figures import DrawnFigure, draw_report_figures
from tierproof.reporters.json_document import render_json
from tierproof.reporters.measurement_view import lay_out_evidence, lay_out_measurements, list_single_values
from tierproof.reporters.quantity import format_bytes, format_count, format_seconds
from tierproof.reporters.story import (
    OUTCOME_MARKS,
    SEVERITY_MARKS,
    SEVERITY_WORDS,
    Story,
    count_of,
    list_grounds,
    tell,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_PATH_PARTS = re.compile(r"[^./:_\\]*[./:_\\]?", re.DOTALL)
_MOST_ROWS = 200
_MOST_FRAGMENT_ROWS = 40
_MOST_NOTES = 3


def render_html(report: Report) -> str:
    """Give the report as one HTML document that requests nothing and can be read without scripts.

    Where attention maps were kept, the page has one script, of ours, and its policy lets no other run.
    """
    return _render("page.html.j2", report, most_rows=_MOST_ROWS, level=1)


def render_html_fragment(report: Report) -> str:
    """Give the report as a `<div>` with its own scoped style, for `_repr_html_`."""
    return _render("fragment.html.j2", report, most_rows=_MOST_FRAGMENT_ROWS, level=3)


def _render(template: str, report: Report, *, most_rows: int, level: int) -> str:
    figures = draw_report_figures(report)
    story = tell(report)
    lead_at = _find_lead(report, story)
    checks = [
        _view_check(result, figures.by_result.get(place), most_rows, shown_above=place == lead_at)
        for place, result in enumerate(report.results)
    ]
    return (
        _open_environment()
        .get_template(template)
        .render(
            report=report,
            story=story,
            checks=checks,
            lead_figure=figures.by_result.get(lead_at) if lead_at is not None else None,
            figure_problem=figures.problem,
            script_source=allow_script() if any(check["section"] for check in checks) else "",
            uid="tp" + hashlib.sha256(render_json(report).encode("ascii")).hexdigest()[:8],
            level=level,
        )
    )


def _find_lead(report: Report, story: Story) -> int | None:
    """The place of the result that holds the worst error."""
    if story.lead is None:
        return None
    first = story.lead.first
    return next(
        place for place, result in enumerate(report.results) if any(first is own for own in result.findings)
    )


def _view_check(
    result: CheckResult, figure: DrawnFigure | None, most_rows: int, *, shown_above: bool
) -> dict[str, Any]:
    view = lay_out_measurements(result.measurements, most_rows=most_rows)
    section = render_result_section(result)
    return {
        "result": result,
        "mark": OUTCOME_MARKS[result.outcome],
        "state": "warned" if result.outcome is Outcome.PASSED and result.warnings else result.outcome.value,
        "notes": _write_notes(result),
        "figure": None if shown_above else figure,
        "section": section,
        "figure_above": shown_above and figure is not None,
        "tables_open": figure is None and not section,
        "view": view,
        "open": bool(result.errors) or result.outcome is Outcome.ERRORED,
    }


def _write_notes(result: CheckResult) -> str:
    if result.outcome in (Outcome.SKIPPED, Outcome.ERRORED):
        return result.reason
    parts = [count_of(len(result.errors), "error")] if result.errors else []
    parts += [count_of(len(result.warnings), "warning")] if result.warnings else []
    values = list_single_values(result.measurements)[: _MOST_NOTES - len(parts)]
    return " · ".join([*parts, *(f"{name} {text}" for name, text in values)])


@cache
def _open_environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    def finish(value: object) -> object:
        """Clean every text on its way into the page; markup of our own passes."""
        return value if isinstance(value, Markup) else clean_text(str(value))

    environment = Environment(
        loader=PackageLoader("tierproof.reporters", "templates"),
        autoescape=True,
        finalize=finish,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    filters: dict[str, Callable[..., object]] = {
        "count": format_count,
        "bytes": format_bytes,
        "seconds": format_seconds,
        "evidence": _list_evidence,
        "grounds": list_grounds,
        "breakable": _let_break,
        "own_markup": Markup,  # for what plots/svg.py and the attention page wrote and escaped
    }
    environment.filters.update(filters)
    environment.globals.update(
        severity_marks=SEVERITY_MARKS, severity_words=SEVERITY_WORDS, outcome_marks=OUTCOME_MARKS
    )
    return environment


def _list_evidence(finding: Finding) -> tuple[tuple[str, str], ...]:
    return lay_out_evidence(finding.evidence)


def _let_break(path: str) -> Markup:
    """Let a path or module name break after its separators rather than inside a word."""
    from markupsafe import Markup, escape

    return Markup("<wbr>").join(escape(part) for part in _PATH_PARTS.findall(clean_text(path)))
