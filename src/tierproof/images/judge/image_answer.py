"""The answer for one install on one image: tierproof's plan beside what pip would do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tierproof.core.json_value import JsonValue
from tierproof.guard.commands.gap import Gap
from tierproof.guard.foresee.foreseen import Change, Foreseen
from tierproof.guard.judge.plan import Plan


@dataclass(frozen=True, slots=True)
class PipForecast:
    """What the command as written would do to the image.

    Attributes:
        replaced: packages of the image that would be replaced or removed.
        added: packages that would come new, as `name version`.
        harmless: why it cannot touch the image's packages; mostly empty.
        gaps: what could not be worked out; mostly none.
        refused: why pip refuses it and changes nothing; mostly empty.
    """

    replaced: tuple[Change, ...] = ()
    added: tuple[str, ...] = ()
    harmless: str = ""
    gaps: tuple[Gap, ...] = ()
    refused: str = ""

    @property
    def harms(self) -> tuple[Change, ...]:
        """The changes to what counts as loaded."""
        return tuple(change for change in self.replaced if change.loaded)

    @property
    def unforeseen(self) -> str:
        """What could not be worked out, in one sentence; empty if everything was."""
        return "; ".join(gap.describe() for gap in self.gaps)

    @classmethod
    def of(cls, foreseen: Foreseen) -> PipForecast:
        """Take what was foreseen of a command."""
        return cls(foreseen.changes, foreseen.added, foreseen.harmless, foreseen.gaps, foreseen.refused)

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "replaced": [item.to_dict() for item in self.replaced],
            "added": list(self.added),
            "harmless": self.harmless,
            "unforeseen": self.unforeseen,
            "not_worked_out": [gap.to_dict() for gap in self.gaps],
            "refused": self.refused,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> PipForecast:
        """Read what `to_dict` gave."""
        return cls(
            tuple(Change(**item) for item in document["replaced"]),
            tuple(document["added"]),
            document["harmless"],
            tuple(Gap.from_dict(gap) for gap in document["not_worked_out"]),
            document["refused"],
        )


@dataclass(frozen=True, slots=True)
class BroughtPackage:
    """A package that an install brings, with the requirements that it declares: later installs rest on it."""

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
        left: what pip leaves on disk after the command as written: the packages that it brings.
        removed: names of the packages that pip removes.
        answered_at: when the index was asked, ISO 8601 in UTC; empty if it did not have to be asked.
        kept: the answer was stored earlier.
    """

    plan: Plan | None
    pip: PipForecast
    problem: str = ""
    brought: tuple[BroughtPackage, ...] = ()
    left: tuple[BroughtPackage, ...] = ()
    removed: tuple[str, ...] = ()
    answered_at: str = ""
    kept: bool = False

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON, `brought`, `left` and `removed` aside."""
        return {
            "plan": None if self.plan is None else self.plan.to_dict(),
            "pip": self.pip.to_dict(),
            "problem": self.problem,
            "answered_at": self.answered_at,
            "kept": self.kept,
        }
