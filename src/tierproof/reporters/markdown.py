"""The report as Markdown, for pull requests, issues and notebooks."""

from __future__ import annotations

from tierproof.core.check_result import CheckResult
from tierproof.core.finding import Finding
from tierproof.core.report import ModelSummary, Report
from tierproof.reporters.markdown_syntax import escape_markdown, format_code, format_table
from tierproof.reporters.measurement_view import Table, lay_out_evidence, lay_out_measurements
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

_MOST_ROWS = 20
_MOST_PLACES = 12


def render_markdown(report: Report) -> str:
    """Give the report as GitHub-flavoured Markdown; everything that comes from the model is escaped."""
    story = tell(report)
    lines = [
        f"# {story.mark} {story.word}: {escape_markdown(report.target)}",
        "",
        escape_markdown(story.headline),
        "",
    ]
    if story.lead:
        lines += ["## The worst error", "", *_write_lead(story.lead)]
    rest, unjudged = _write_rest(story), _write_unjudged(story)
    lines += [*rest, *unjudged] if story.lead else [*unjudged, *rest]
    lines += _write_model(report.model)
    lines += _write_checks(report)
    return "\n".join([*lines, "---", "", _write_footer(report)]) + "\n"


def _write_lead(group: FindingGroup) -> list[str]:
    first = group.first
    lines = [f"**{escape_markdown(first.message)}**", ""]
    where = format_code(first.where) or "the whole model"
    lines.append(f"- Where: {where}")
    if group.others:
        lines.append(f"- Also in: {_write_places(group)}")
    if first.evidence:
        lines.append(f"- Evidence: {_write_evidence(first)}")
    if grounds := list_grounds(first):
        lines.append(f"- Rests on: {escape_markdown(grounds)}")
    if first.hint:
        lines.append(f"- Next step: {escape_markdown(first.hint)}")
    return [*lines, f"- Code: {_link_code(first)}", ""]


def _write_rest(story: Story) -> list[str]:
    if not story.rest:
        return []
    lines = ["## Other findings" if story.lead else "## Findings", ""]
    for group in story.rest:
        first = group.first
        mark, word = SEVERITY_MARKS[first.severity], SEVERITY_WORDS[first.severity]
        place = f" in {format_code(first.where)}" if first.where else ""
        lines.append(f"- {mark} {word} {_link_code(first)}{place}: {escape_markdown(first.message)}")
        if group.others:
            lines.append(f"  - Also in: {_write_places(group)}")
        if first.evidence:
            lines.append(f"  - Evidence: {_write_evidence(first)}")
        if grounds := list_grounds(first):
            lines.append(f"  - Rests on: {escape_markdown(grounds)}")
        if first.hint:
            lines.append(f"  - Next step: {escape_markdown(first.hint)}")
    return [*lines, ""]


def _link_code(finding: Finding) -> str:
    code = format_code(finding.code)
    return f"[{code}]({finding.page})" if finding.page else code


def _write_places(group: FindingGroup) -> str:
    places = list(dict.fromkeys(format_code(finding.where) or "the whole model" for finding in group.others))
    more = len(places) - _MOST_PLACES
    return ", ".join(places[:_MOST_PLACES]) + (f" and {more} more" if more > 0 else "")


def _write_evidence(finding: Finding) -> str:
    return "; ".join(
        f"{escape_markdown(name)} {escape_markdown(text)}"
        for name, text in lay_out_evidence(finding.evidence)
    )


def _write_unjudged(story: Story) -> list[str]:
    if not story.unjudged:
        return []
    lines = ["## What could not be checked", ""]
    for result in story.unjudged:
        mark, code = OUTCOME_MARKS[result.outcome], format_code(result.code)
        reason = escape_markdown(result.reason) or "no reason was given"
        lines.append(f"- {mark} {code} {escape_markdown(result.name)}: {reason}")
    return [*lines, ""]


def _write_model(model: ModelSummary) -> list[str]:
    part = f", {format_count(model.trainable)} of them trainable"
    trainable = "" if model.trainable == model.parameters else part
    lines = [
        "## Model",
        "",
        f"- Class: {format_code(model.class_name)}, {escape_markdown(model.kind)}",
        f"- Size: {format_count(model.parameters)} parameters{trainable}, {format_bytes(model.bytes)}",
    ]
    if model.traits:
        lines.append(f"- Traits: {', '.join(escape_markdown(trait) for trait in model.traits)}")
    lines += [f"- Called with: {format_code(line)}" for line in model.inputs]
    lines += [f"- Assumed: {escape_markdown(line)}" for line in model.assumptions]
    lines.append("")
    if model.evidence:
        rows = [
            [escape_markdown(cell) or "–" for cell in (item.trait, item.declared, item.measured)]
            for item in model.evidence
        ]
        lines += [*format_table(["Trait", "Declared", "Measured"], rows), ""]
    return lines


def _write_checks(report: Report) -> list[str]:
    rows = [
        [
            f"{OUTCOME_MARKS[result.outcome]} {result.outcome.value}",
            format_code(result.code, in_table=True),
            escape_markdown(result.name),
            format_seconds(result.duration_s),
            escape_markdown(result.reason) or _count_findings(result),
        ]
        for result in report.results
    ]
    lines = ["## Checks", ""]
    lines += format_table(["Outcome", "Code", "Check", "Time", "Notes"], rows) if rows else ["No check ran."]
    for result in report.results:
        lines += _write_measurements(result)
    return [*lines, ""]


def _count_findings(result: CheckResult) -> str:
    parts = [count_of(len(result.errors), "error")] if result.errors else []
    parts += [count_of(len(result.warnings), "warning")] if result.warnings else []
    return ", ".join(parts)


def _write_measurements(result: CheckResult) -> list[str]:
    view = lay_out_measurements(result.measurements, most_rows=_MOST_ROWS)
    if not view.values and not view.tables:
        return []
    lines = ["", f"### {escape_markdown(result.code)} {escape_markdown(result.name)}", ""]
    lines += [f"- {escape_markdown(name)}: {escape_markdown(text)}" for name, text in view.values]
    for table in view.tables:
        lines += ["", *_write_table(table)]
    return lines


def _write_table(table: Table) -> list[str]:
    headers = [escape_markdown(header) for header in table.headers]
    rows = [[escape_markdown(cell) for cell in row] for row in table.rows]
    lines = [f"{escape_markdown(table.title)}:", "", *format_table(headers, rows)]
    return [*lines, "", f"{table.omitted} more rows are in the JSON report."] if table.omitted else lines


def _write_footer(report: Report) -> str:
    place = report.environment
    return escape_markdown(
        f"tierproof {report.version}, Python {place.python}, torch {place.torch}, {place.device}, "
        f"seed {report.seed}, {format_seconds(report.duration_s)}"
    )
