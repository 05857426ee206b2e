"""The plan of an install, made before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.core.plain_text import clean_text
from tierproof.guard.commands.gap import Gap

FORMAT_VERSION = 1


class PlanVerdict(StrEnum):
    """The outcome of a plan, from the safest to the impossible, and beside that what was not worked out."""

    SATISFIED = "satisfied"
    ADDITIVE = "additive"
    SHADOW = "shadow"
    WAIVER = "waiver"
    ISOLATED = "isolated"
    INFEASIBLE = "infeasible"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AddedPackage:
    """A package that the install would add; `bytes` is its download size, 0 if the index does not say."""

    name: str
    version: str
    bytes: int = 0

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the package as JSON."""
        return {"name": self.name, "version": self.version, "bytes": self.bytes}


@dataclass(frozen=True, slots=True)
class ReusedPackage:
    """An installed package that the request uses unchanged."""

    name: str
    version: str

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the package as JSON."""
        return {"name": self.name, "version": self.version}


@dataclass(frozen=True, slots=True)
class ShadowedPackage:
    """An installed package that no process has loaded and that another version would override.

    Attributes:
        name: normalised.
        base: the version that is installed.
        version: the version that later imports would use.
        dependents: installed packages that depend on it; the version meets their bounds.
    """

    name: str
    base: str
    version: str
    dependents: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the package as JSON."""
        return {
            "name": self.name,
            "base": self.base,
            "version": self.version,
            "dependents": list(self.dependents),
        }


@dataclass(frozen=True, slots=True)
class Conflict:
    """A bound that the base breaks: `required_by` needs `package` `required`, but `installed` is installed."""

    package: str
    installed: str
    required: str
    required_by: str

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the conflict as JSON."""
        return {
            "package": self.package,
            "installed": self.installed,
            "required": self.required,
            "required_by": self.required_by,
        }


@dataclass(frozen=True, slots=True)
class AgedPackage:
    """A requested package that would be added in a release much older than the latest."""

    name: str
    version: str
    latest: str

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the package as JSON."""
        return {"name": self.name, "version": self.version, "latest": self.latest}


@dataclass(frozen=True, slots=True)
class Plan:
    """What an install would do.

    Attributes:
        requested: as typed.
        base: `here`, or the name of an image.
        verdict: the outcome.
        add: packages that are missing, or installed in another version.
        reuse: installed packages that are used unchanged.
        shadows: installed packages that another version would override.
        conflicts: the smallest set of bounds that prevents a plain install.
        aged: requested packages that would be added in a much older release than the latest.
        touches_loaded: loaded packages that the request would have to change.
        explanation: the verdict in words.
        duration_s: wall time of the planning in seconds.
        gaps: parts of the request that were not worked out; with one, the verdict is *unknown*.
        judged: the verdict of everything else, where there are gaps; None if nothing else was asked for.
        fits_without: requirements, as typed, without which the rest needs no more than consent.
        rest: the plan of that rest; None where there is none.
    """

    requested: tuple[str, ...]
    base: str
    verdict: PlanVerdict
    add: tuple[AddedPackage, ...] = ()
    reuse: tuple[ReusedPackage, ...] = ()
    shadows: tuple[ShadowedPackage, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    aged: tuple[AgedPackage, ...] = ()
    touches_loaded: tuple[str, ...] = ()
    explanation: str = ""
    duration_s: float = 0.0
    gaps: tuple[Gap, ...] = ()
    judged: PlanVerdict | None = None
    fits_without: tuple[str, ...] = ()
    rest: Plan | None = None

    @property
    def ok(self) -> bool:
        """True if an install needs no consent."""
        return self.verdict in (PlanVerdict.SATISFIED, PlanVerdict.ADDITIVE) and not self.aged

    @property
    def exit_code(self) -> int:
        """0 = safe to install, 1 = needs consent or isolation, or is infeasible, 2 = not worked out."""
        if self.verdict is PlanVerdict.UNKNOWN:
            return 2
        return 0 if self.ok else 1

    @property
    def judged_verdict(self) -> PlanVerdict | None:
        """The verdict of what was judged; None where nothing was."""
        return self.judged if self.verdict is PlanVerdict.UNKNOWN else self.verdict

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the document of `plan --json`."""
        return {
            "format_version": FORMAT_VERSION,
            "requested": list(self.requested),
            "base": self.base,
            "verdict": self.verdict.value,
            "add": [item.to_dict() for item in self.add],
            "reuse": [item.to_dict() for item in self.reuse],
            "shadows": [item.to_dict() for item in self.shadows],
            "conflicts": [item.to_dict() for item in self.conflicts],
            "aged": [item.to_dict() for item in self.aged],
            "touches_loaded": list(self.touches_loaded),
            "explanation": self.explanation,
            "duration_s": self.duration_s,
            "not_worked_out": [item.to_dict() for item in self.gaps],
            "judged": None if self.judged is None else self.judged.value,
            "fits_without": list(self.fits_without),
            "rest": None if self.rest is None else self.rest.to_dict(),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Plan:
        """Read a `plan --json` document.

        Raises:
            KeyError, TypeError, ValueError: the document is not a plan.
        """
        return cls(
            tuple(document["requested"]),
            document["base"],
            PlanVerdict(document["verdict"]),
            add=tuple(AddedPackage(**item) for item in document["add"]),
            reuse=tuple(ReusedPackage(**item) for item in document["reuse"]),
            shadows=tuple(
                ShadowedPackage(**{**item, "dependents": tuple(item["dependents"])})
                for item in document["shadows"]
            ),
            conflicts=tuple(Conflict(**item) for item in document["conflicts"]),
            aged=tuple(AgedPackage(**item) for item in document["aged"]),
            touches_loaded=tuple(document["touches_loaded"]),
            explanation=document["explanation"],
            duration_s=document["duration_s"],
            gaps=tuple(Gap.from_dict(item) for item in document.get("not_worked_out", ())),
            judged=None if document.get("judged") is None else PlanVerdict(document["judged"]),
            fits_without=tuple(document.get("fits_without", ())),
            rest=None if document.get("rest") is None else cls.from_dict(document["rest"]),
        )

    def describe(self) -> str:
        """Return the plan as plain text of a few lines."""
        lines = [f"{self.verdict.value}: {self.explanation}"]
        lines += [f"  ? {item.describe()}" for item in self.gaps]
        lines += [f"  + {item.name} {item.version}{_describe_bytes(item.bytes)}" for item in self.add]
        for item in self.shadows:
            dependents = f"; {', '.join(item.dependents)} depend on it" if item.dependents else ""
            lines.append(f"  ~ {item.name} {item.base} -> {item.version}{dependents}")
        lines += [
            f"  ! {item.required_by} needs {item.package} {item.required}; {item.installed} is installed"
            for item in self.conflicts
        ]
        lines += [f"  ! {item.name} {item.version} is old: {item.latest} is the latest" for item in self.aged]
        return clean_text("\n".join(lines))

    def _repr_html_(self) -> str:
        return show_plainly(self.describe())


def _describe_bytes(count: int) -> str:
    if not count:
        return ""
    return f"  ({count / 1e6:.1f} MB)" if count >= 1e5 else f"  ({count / 1e3:.0f} kB)"
