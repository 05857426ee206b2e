"""The attention page as a section of a report: from the measurements and the picture of one result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from tierproof.analysis.attention.attention_figures import (
    HeadStatistics,
    ModelAttention,
    PatternStatistics,
)
from tierproof.analysis.attention.attention_maps_sprite import ARTIFACT_NAME
from tierproof.core.check_result import CheckResult
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.reporters.attention_page.render_page import render_attention_section
from tierproof.reporters.story import SEVERITY_WORDS

_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def render_result_section(result: CheckResult) -> str:
    """The page of a result that kept maps; empty for one that did not."""
    sprite = next((each.content for each in result.artifacts if each.name == ARTIFACT_NAME), None)
    if sprite is None or not result.measurements.get("patterns"):
        return ""
    measured = _read_attention(result.measurements)
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


def _read_attention(document: Mapping[str, JsonValue]) -> ModelAttention:
    """What `ModelAttention.to_dict` wrote, but for what the page does not show."""
    return ModelAttention(
        model=str(document.get("model", "")),
        inputs=str(document.get("inputs", "")),
        period=None,
        patterns=tuple(_read_pattern(each) for each in _as_list(document.get("patterns"))),
        unread=tuple(str(each) for each in _as_list(document.get("unread"))),
    )


def _read_pattern(document: Mapping[str, Any]) -> PatternStatistics:
    heads = tuple(
        HeadStatistics(
            **{
                each.name: _read_number(head[each.name])
                for each in fields(HeadStatistics)
                if each.name in head
            }
        )
        for head in _as_list(document.get("heads"))
    )
    return PatternStatistics(
        path=document["path"],
        kind=document["kind"],
        queries=document["queries"],
        keys=document["keys"],
        heads=heads,
        agreement=(),
        sum_error=0.0,
    )


def _as_list(value: JsonValue) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _read_number(value: JsonValue) -> Any:
    return _NUMBERS.get(value, value) if isinstance(value, str) else value
