"""The report in a terminal, and as plain text."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding, Severity
from tierproof.core.report import ModelSummary, Report
from tierproof.core.verdict import Verdict
from tierproof.reporters.clean_text import clean_line, clean_text
from tierproof.reporters.measurement_view import lay_out_evidence, list_single_values
from tierproof.reporters.quantity import format_bytes, format_count, format_seconds
from tierproof.reporters.story import (
    OUTCOME_MARKS,
    SEVERITY_MARKS,
    SEVERITY_WORDS,
    FindingGroup,
    Story,
    count_of,
    list_grounds,
    tell,
)

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

_WIDTH = 100
_MOST_PLACES = 6
_MOST_VALUES = 3
_NARROW = 70
# Below this, a column of measurements would be a ribbon of single words: only reasons are told, line by line.
_WIDE = 100
_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow"}
_SEVERITY_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}
_OUTCOME_COLOURS = {
    Outcome.PASSED: "green",
    Outcome.FAILED: "red",
    Outcome.SKIPPED: "bright_black",
    Outcome.ERRORED: "yellow",
}
_ASCII = str.maketrans(
    {
        "✓": "+",
        "✗": "x",
        "–": "-",
        "−": "-",
        "×": "x",
        "…": "...",
        "→": "->",
        "µ": "u",
        "∞": "inf",
        "·": ".",
        "≥": ">=",
        "≤": "<=",
    }
)


def render_text(report: Report) -> str:
    """Give the report as plain text, 100 columns wide, without colour."""
    from rich.console import Console

    written = io.StringIO()
    console = Console(
        file=written,
        width=_WIDTH,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        legacy_windows=False,
    )
    _print_parts(report, console)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()).rstrip() + "\n"


def print_report(report: Report, console: Console) -> None:
    """Print the report to a rich console; one that holds only ASCII gets ASCII."""
    if not console.options.ascii_only:
        _print_parts(report, console)
        return
    with console.capture() as captured:
        _print_parts(report, console)
    text = captured.get().translate(_ASCII)
    console.file.write(text.encode("ascii", "backslashreplace").decode("ascii"))


def _print_parts(report: Report, console: Console) -> None:
    for part in _lay_out(report, width=console.width):
        console.print(part, markup=False, highlight=False, emoji=False)


def _lay_out(report: Report, *, width: int) -> Iterator[RenderableType]:
    from rich.text import Text

    story = tell(report)
    yield Text.assemble(
        (f"{story.mark} {story.word}", f"bold {_COLOURS[story.tone]}"),
        "  ",
        (clean_line(report.target), "bold"),
    )
    yield Text(story.headline)
    if story.lead:
        yield ""
        yield from _lay_out_lead(story.lead)
    rest, unjudged = _lay_out_rest(story), _lay_out_unjudged(story)
    yield from itertools.chain(rest, unjudged) if story.lead else itertools.chain(unjudged, rest)
    yield _head("Model")
    yield _lay_out_model(report.model)
    yield from _lay_out_evidence(report.model)
    yield _head("Checks")
    yield from _lay_out_checks(report, width=width)
    yield Text(f"\n{_write_footer(report)}", style="bright_black")


def _head(title: str) -> RenderableType:
    from rich.text import Text

    return Text(f"\n{title}", style="bold")


def _facts(facts: list[tuple[str, RenderableType]], *, indent: int = 2) -> RenderableType:
    """Lay out (name, value) pairs as two columns."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(name, style="bright_black"), value)
    return Padding(table, (0, 0, 0, indent))


def _indent(value: RenderableType, by: int) -> RenderableType:
    from rich.padding import Padding

    return Padding(value, (0, 0, 0, by))


def _lay_out_lead(group: FindingGroup) -> Iterator[RenderableType]:
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    first = group.first
    card = Table.grid()
    card.add_column(overflow="fold")
    card.add_row(Text(clean_text(first.message), style="bold"))
    card.add_row("")
    card.add_row(_facts(_list_facts(group), indent=0))
    if first.page:
        card.add_row(_link(first))
    yield Panel(card, title=Text("The worst error"), title_align="left", border_style="red", padding=(1, 2))


def _list_facts(group: FindingGroup) -> list[tuple[str, RenderableType]]:
    from rich.text import Text

    first = group.first
    facts: list[tuple[str, RenderableType]] = [
        ("where", Text(clean_line(first.where) or "the whole model", style="bold cyan"))
    ]
    if group.others:
        facts.append(("also in", Text(_write_places(group))))
    if first.evidence:
        facts.append(("evidence", Text(_write_evidence(first))))
    if grounds := list_grounds(first):
        facts.append(("rests on", Text(grounds)))
    if first.hint:
        facts.append(("next step", Text(clean_text(first.hint))))
    return [*facts, ("code", Text(clean_line(first.code), style="bright_black"))]


def _link(finding: Finding) -> Text:
    """Where the code of a finding is explained."""
    from rich.text import Text

    return Text(f"More: {finding.page}", style="bright_black", overflow="fold")


def _write_places(group: FindingGroup) -> str:
    places = list(dict.fromkeys(clean_line(finding.where) or "the whole model" for finding in group.others))
    more = len(places) - _MOST_PLACES
    return ", ".join(places[:_MOST_PLACES]) + (f" and {more} more" if more > 0 else "")


def _write_evidence(finding: Finding) -> str:
    return "; ".join(f"{name} {text}" for name, text in lay_out_evidence(finding.evidence))


def _lay_out_unjudged(story: Story) -> Iterator[RenderableType]:
    from rich.text import Text

    if not story.unjudged:
        return
    yield _head("What could not be checked")
    for result in story.unjudged:
        title = f"{OUTCOME_MARKS[result.outcome]} {clean_line(result.code)} {clean_line(result.name)}: "
        reason = clean_text(result.reason) or "no reason was given"
        yield _indent(Text.assemble((title, _OUTCOME_COLOURS[result.outcome]), reason), 2)


def _lay_out_rest(story: Story) -> Iterator[RenderableType]:
    from rich.text import Text

    if not story.rest:
        return
    yield _head("Other findings" if story.lead else "Findings")
    told = {story.lead.first.code} if story.lead else set()
    for group in story.rest:
        first = group.first
        colour = _SEVERITY_COLOURS[first.severity]
        title = Text.assemble(
            (f"{SEVERITY_MARKS[first.severity]} {SEVERITY_WORDS[first.severity]} ", colour),
            (f"{clean_line(first.code)}  ", "bright_black"),
            (clean_line(first.where), "cyan"),
        )
        title.rstrip()
        yield _indent(title, 2)
        yield _indent(Text(clean_text(first.message)), 4)
        facts = [(name, value) for name, value in _list_facts(group) if name not in ("where", "code")]
        if facts:
            yield _facts(facts, indent=4)
        if first.page and first.code not in told:
            yield _indent(_link(first), 4)
        told.add(first.code)


def _lay_out_model(model: ModelSummary) -> RenderableType:
    from rich.text import Text

    size = f"{format_count(model.parameters)} parameters, {format_bytes(model.bytes)}"
    if model.trainable != model.parameters:
        size += f", {format_count(model.trainable)} trainable"
    facts: list[tuple[str, RenderableType]] = [
        ("class", Text(f"{clean_line(model.class_name)} ({clean_line(model.kind)})")),
        ("size", Text(size)),
    ]
    if model.traits:
        facts.append(("traits", Text(", ".join(clean_line(trait) for trait in model.traits))))
    facts += [
        ("called with" if n == 0 else "", Text(clean_line(line))) for n, line in enumerate(model.inputs)
    ]
    facts += [
        ("assumed" if n == 0 else "", Text(clean_line(line))) for n, line in enumerate(model.assumptions)
    ]
    return _facts(facts)


def _lay_out_evidence(model: ModelSummary) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    if not model.evidence:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bright_black")
    for header in ("trait", "declared", "measured"):
        table.add_column(header, overflow="fold")
    for item in model.evidence:
        table.add_row(*(Text(clean_line(cell) or "–") for cell in (item.trait, item.declared, item.measured)))
    yield ""
    yield _indent(table, 2)


def _lay_out_checks(report: Report, *, width: int) -> Iterator[RenderableType]:
    from rich.table import Table
    from rich.text import Text

    if not report.results:
        yield Text("  none ran")
        return
    columns = 3 if width < _NARROW else 4 if width < _WIDE else 5
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for column in range(columns):
        table.add_column(no_wrap=column < 4, overflow="fold", justify="right" if column == 3 else "left")
    for result in report.results:
        warned = result.outcome is Outcome.PASSED and result.warnings
        colour = "yellow" if warned else _OUTCOME_COLOURS[result.outcome]
        mark = Text(f"{OUTCOME_MARKS[result.outcome]} {result.outcome.value}", style=colour)
        cells = [mark, Text(clean_line(result.code)), Text(clean_line(result.name))]
        cells += [Text(format_seconds(result.duration_s)), Text(_write_notes(result))]
        table.add_row(*cells[:columns])
    yield _indent(table, 2)
    if columns < 5:
        reasons = [result for result in report.results if result.reason]
        yield from (_indent(Text(f"{clean_line(r.code)}: {clean_line(r.reason)}"), 2) for r in reasons)


def _write_notes(result: CheckResult) -> str:
    """Why a check did not run, else its findings and its first few single values."""
    if result.outcome in (Outcome.SKIPPED, Outcome.ERRORED):
        return clean_line(result.reason)
    parts = [count_of(len(result.errors), "error")] if result.errors else []
    parts += [count_of(len(result.warnings), "warning")] if result.warnings else []
    values = list_single_values(result.measurements)[:_MOST_VALUES]
    return "; ".join([*parts, *(f"{name} {text}" for name, text in values)])


def _write_footer(report: Report) -> str:
    place = report.environment
    return clean_line(
        f"tierproof {report.version} · Python {place.python} · torch {place.torch} · {place.device} · "
        f"seed {report.seed} · {format_seconds(report.duration_s)}"
    )
