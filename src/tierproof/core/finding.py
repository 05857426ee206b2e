"""A finding: one thing a check has to say about a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tierproof.core.addresses import page_address
from tierproof.core.document import read_mapping, read_mappings, read_text
from tierproof.core.json_value import JsonValue, to_json_value
from tierproof.core.standing import Fact


class Severity(StrEnum):
    """How much a finding weighs: an error breaks an exact invariant, a warning rests on statistics."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Cause:
    """The finding that another one follows from: its code and the module it names."""

    code: str
    where: str = ""

    @property
    def advice(self) -> str:
        """The only next step that a consequence has."""
        return f"This follows from {self.code}: fix {self.code} first."

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the cause as JSON."""
        return {"code": self.code, "where": self.where}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, where, with which evidence, and what to do.

    Attributes:
        code: stable identifier such as `T1-GRAD-003`; never reused.
        severity: error, warning or info.
        message: one sentence a person understands.
        where: module path as `named_modules()` gives it; empty for the whole model.
        evidence: numbers with their units in the keys (`ratio`, `peak_bytes`, `latency_ms`).
        hint: the next step.
        rests_on: the facts without which it would not hold; empty where only the model's own numbers count.
        follows_from: the finding that this one is a consequence of; None where it stands for itself.
    """

    code: str
    severity: Severity
    message: str
    where: str = ""
    evidence: Mapping[str, JsonValue] = field(default_factory=dict)
    hint: str = ""
    rests_on: tuple[Fact, ...] = ()
    follows_from: Cause | None = None

    @property
    def page(self) -> str:
        """The address of the page that explains it; empty for a code that has none."""
        return page_address(self.code)

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the finding as it stands in the report's JSON."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "where": self.where,
            "evidence": to_json_value(self.evidence),
            "hint": self.hint,
            "rests_on": [fact.to_dict() for fact in self.rests_on],
            "follows_from": {} if self.follows_from is None else self.follows_from.to_dict(),
            "page": self.page,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, JsonValue]) -> Finding:
        """Read what `to_dict` wrote; a document from before `rests_on` is read too.

        Raises:
            DocumentError: a key is missing, or holds a value of another type.
        """
        return cls(
            code=read_text(document, "code"),
            severity=Severity(read_text(document, "severity")),
            message=read_text(document, "message"),
            where=read_text(document, "where"),
            evidence=dict(read_mapping(document, "evidence")),
            hint=read_text(document, "hint"),
            rests_on=tuple(Fact.from_dict(item) for item in read_mappings(document, "rests_on"))
            if "rests_on" in document
            else (),
            follows_from=_read_cause(document),
        )


def _read_cause(document: Mapping[str, JsonValue]) -> Cause | None:
    """The cause in a finding's document; None where there is none, as in documents of earlier versions."""
    cause = read_mapping(document, "follows_from") if "follows_from" in document else {}
    return Cause(read_text(cause, "code"), read_text(cause, "where")) if cause else None
