"""What a rule is: a code, a name and a pure function from the evidence to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.training.audit.recording.source_line import SourceLine
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

_SHOWN = 4


@dataclass(frozen=True)
class RuleOutput:
    """What a rule gives back.

    Attributes:
        findings: in any order.
        measurements: single values by name, with units in their names.
        skipped: why the rule does not apply; empty where it does.
    """

    findings: tuple[Finding, ...] = ()
    measurements: Mapping[str, JsonValue] = field(default_factory=dict)
    skipped: str = ""


@dataclass(frozen=True)
class Rule:
    """One rule; its findings are `T3-PARAM-001` and so on."""

    code: str
    name: str
    judge: Callable[[AuditEvidence], RuleOutput]


def report_finding(
    code: str,
    severity: Severity,
    message: str,
    *,
    line: SourceLine | None = None,
    where: str = "",
    evidence: Mapping[str, JsonValue] | None = None,
    hint: str = "",
) -> Finding:
    """A finding whose message ends with the line of the step, where one is known."""
    document: dict[str, JsonValue] = dict(evidence or {})
    if line is not None:
        document |= {"file": line.file, "line": line.number, "source": line.text}
        message = f"{message.rstrip('.')} ({line})."
    return Finding(code, severity, message, where, document, hint)


def list_some(names: Iterable[str]) -> str:
    """The first few names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return f"{', '.join(listed[:_SHOWN])}{more}"


def find_common_module(paths: Iterable[str]) -> str:
    """The path of the innermost module that holds all parameters; empty for the whole model."""
    parts = [path.split(".")[:-1] for path in paths]
    common: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return ".".join(common)
