"""The result of one check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tierproof.core.artifact import Artifact
from tierproof.core.document import (
    read_integer,
    read_mapping,
    read_mappings,
    read_number,
    read_text,
)
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue, to_json_value


class Outcome(StrEnum):
    """How a check ended. A check that crashed is `errored`, never `passed`."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    ERRORED = "errored"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check measured and found.

    Attributes:
        code: the check's code, such as `T1-GRAD`.
        name: its name in words.
        tier: 1, 2 or 3.
        outcome: `failed` exactly when a finding is an error.
        reason: why it was skipped or errored; empty otherwise.
        duration_s: wall time in seconds.
        measurements: numbers with units in their keys; free of formatting.
        findings: errors first, as the check gave them otherwise.
        artifacts: what is too large for the document; files beside the report.
        out_of_time: it did not run, or not to its end, because the time budget was too short.
    """

    code: str
    name: str
    tier: int
    outcome: Outcome
    reason: str = ""
    duration_s: float = 0.0
    measurements: Mapping[str, JsonValue] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    out_of_time: bool = False

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are warnings."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    def to_dict(self, *, stem: str = "report") -> dict[str, JsonValue]:
        """Give the result as it stands in the report's JSON.

        Args:
            stem: of the report's file name; artifacts are named after it. A result without any has no such key.
        """
        document: dict[str, JsonValue] = {
            "code": self.code,
            "name": self.name,
            "tier": self.tier,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "duration_s": self.duration_s,
            "measurements": to_json_value(self.measurements),
            "findings": [finding.to_dict() for finding in self.findings],
            "out_of_time": self.out_of_time,
        }
        if self.artifacts:
            document["artifacts"] = {
                artifact.name: artifact.file_name(stem, self.code) for artifact in self.artifacts
            }
        return document

    @classmethod
    def from_dict(cls, document: Mapping[str, JsonValue]) -> CheckResult:
        """Read what `to_dict` wrote; artifacts are not read.

        Raises:
            DocumentError: a key is missing, or holds a value of another type.
        """
        return cls(
            code=read_text(document, "code"),
            name=read_text(document, "name"),
            tier=read_integer(document, "tier"),
            outcome=Outcome(read_text(document, "outcome")),
            reason=read_text(document, "reason"),
            duration_s=read_number(document, "duration_s"),
            measurements=dict(read_mapping(document, "measurements")),
            findings=tuple(Finding.from_dict(item) for item in read_mappings(document, "findings")),
            out_of_time=document.get("out_of_time") is True,  # absent in documents of earlier versions
        )
