"""The answer for one install on one image: tierproof's plan beside what pip would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tierproof.core.json_value import JsonValue
from tierproof.guard.foresee.foreseen import Change, Foreseen
from tierproof.guard.judge.plan import Plan


@dataclass(frozen=True, slots=True)
class PipForecast:
    """What the command as written would do to the image.

    Attributes:
        replaced: packages of the image that would be replaced or removed.
        added: packages that would come new, as `name version`.
        harmless: why it cannot touch the image's packages; mostly empty.
        unforeseen: what could not be worked out; mostly empty.
    """

    replaced: tuple[Change, ...] = ()
    added: tuple[str, ...] = ()
    harmless: str = ""
    unforeseen: str = ""

    @classmethod
    def of(cls, foreseen: Foreseen) -> PipForecast:
        """Take what was foreseen of a command."""
        return cls(foreseen.changes, foreseen.added, foreseen.harmless, foreseen.unforeseen)

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "replaced": [item.to_dict() for item in self.replaced],
            "added": list(self.added),
            "harmless": self.harmless,
            "unforeseen": self.unforeseen,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> PipForecast:
        """Read what `to_dict` gave."""
        return cls(
            tuple(Change(**item) for item in document["replaced"]),
            tuple(document["added"]),
            document["harmless"],
            document["unforeseen"],
        )


@dataclass(frozen=True, slots=True)
class BroughtPackage:
    """A package that the plan brings, with the requirements that it declares: later installs rest on it."""

    name: str
    version: str
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageAnswer:
    """What became of one install on one image.

    Attributes:
        plan: tierproof's plan, or None.
        pip: what the command as written would do.
        problem: why there is no plan.
        brought: what the plan brings.
        answered_at: when the index was asked, ISO 8601 in UTC; empty if it did not have to be asked.
        kept: the answer was stored earlier.
    """

    plan: Plan | None
    pip: PipForecast
    problem: str = ""
    brought: tuple[BroughtPackage, ...] = ()
    answered_at: str = ""
    kept: bool = False

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON, `brought` aside."""
        return {
            "plan": None if self.plan is None else self.plan.to_dict(),
            "pip": self.pip.to_dict(),
            "problem": self.problem,
            "answered_at": self.answered_at,
            "kept": self.kept,
        }
