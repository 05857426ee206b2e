"""The attention page as a section of a report: from the measurements and the picture of one result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tierproof.analysis.attention.attention_maps_sprite import ARTIFACT_NAME
from tierproof.checks.measurements.attention_heads import read_attention
from tierproof.core.check_result import CheckResult
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.reporters.attention_page.render_page import render_attention_section
from tierproof.reporters.story import SEVERITY_WORDS


def has_section(result: CheckResult) -> bool:
    """Whether the heads of a result are shown in a section of their own, so that no figure has to show them."""
    return _find_sprite(result) is not None and bool(result.measurements.get("patterns"))


def _find_sprite(result: CheckResult) -> bytes | None:
    return next((each.content for each in result.artifacts if each.name == ARTIFACT_NAME), None)


def render_result_section(result: CheckResult) -> str:
    """The page of a result that kept maps; empty for one that did not."""
    sprite = _find_sprite(result)
    if sprite is None or not has_section(result):
        return ""
    measured = read_attention(result.measurements)
    return render_attention_section(measured, sprite, mark_heads(result.findings), titled=False)


def mark_heads(findings: Sequence[Finding]) -> dict[tuple[str, int], str]:
    """What findings say about single heads: those that name a module and, in their evidence, `head` or `heads`.

    `heads` is a list of numbers, or how many heads the module has: then it is about all of them.
    """
    marks: dict[tuple[str, int], str] = {}
    for finding in findings:
        if finding.severity is Severity.INFO and not finding.where:
            continue
        for head in _list_heads(finding.evidence):
            text = f"{SEVERITY_WORDS[finding.severity]} {finding.code}: {finding.message}"
            known = marks.get((finding.where, head))
            marks[finding.where, head] = f"{known}\n{text}" if known else text
    return marks


def _list_heads(evidence: Mapping[str, JsonValue]) -> list[int]:
    one, several = evidence.get("head"), evidence.get("heads")
    if isinstance(one, int):
        return [one]
    if isinstance(several, int):
        return list(range(several))
    listed = several if isinstance(several, list | tuple) else ()
    return [number for number in listed if isinstance(number, int)]
