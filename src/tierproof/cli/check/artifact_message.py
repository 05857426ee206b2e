"""Artifacts on their way from the child that checks to the command that saves them."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tierproof.core.artifact import Artifact
from tierproof.core.document import read_text
from tierproof.core.json_value import JsonValue
from tierproof.core.report import Report


def encode_artifacts(report: Report) -> list[JsonValue]:
    """Every artifact of a report as JSON; the content in base64."""
    return [
        {
            "code": result.code,
            "name": artifact.name,
            "suffix": artifact.suffix,
            "content": base64.b64encode(artifact.content).decode(),
        }
        for result in report.results
        for artifact in result.artifacts
    ]


def attach_artifacts(report: Report, messages: JsonValue) -> Report:
    """Give the report with what `encode_artifacts` made of its artifacts."""
    if not messages or isinstance(messages, str) or not isinstance(messages, Sequence):
        return report
    by_code: dict[str, list[Artifact]] = {}
    for message in messages:
        if isinstance(message, Mapping):
            content = base64.b64decode(read_text(message, "content"))
            artifact = Artifact(read_text(message, "name"), read_text(message, "suffix"), content)
            by_code.setdefault(read_text(message, "code"), []).append(artifact)
    results = tuple(replace(r, artifacts=tuple(by_code.get(r.code, ()))) for r in report.results)
    return replace(report, results=results)
