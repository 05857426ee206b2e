"""The result of one check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

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
    """

    code: str
    name: str
    tier: int
    outcome: Outcome
    reason: str = ""
    duration_s: float = 0.0
    measurements: Mapping[str, JsonValue] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that are errors."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that are warnings."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.WARNING)

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the result as in the contract's JSON."""
        return {
            "code": self.code,
            "name": self.name,
            "tier": self.tier,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "duration_s": self.duration_s,
            "measurements": to_json_value(self.measurements),
            "findings": [finding.to_dict() for finding in self.findings],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, JsonValue]) -> CheckResult:
        """Read what `to_dict` wrote."""
        measurements, findings, tier, duration = (
            document["measurements"],
            document["findings"],
            document["tier"],
            document["duration_s"],
        )
        assert isinstance(measurements, Mapping)
        assert isinstance(findings, Sequence)
        assert isinstance(tier, int)
        assert isinstance(duration, int | float)
        return cls(
            code=str(document["code"]),
            name=str(document["name"]),
            tier=tier,
            outcome=Outcome(str(document["outcome"])),
            reason=str(document["reason"]),
            duration_s=float(duration),
            measurements=dict(measurements),
            findings=tuple(Finding.from_dict(item) for item in findings if isinstance(item, Mapping)),
        )
