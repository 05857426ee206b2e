"""Declared requirements among installed distributions that do not hold, from metadata alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tierproof.core.json_value import JsonValue
from tierproof.guard.capture.installed import InstalledDistribution

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r"\bextra\s*==")


@dataclass(frozen=True, slots=True)
class BrokenBound:
    """A requirement that an installed distribution declares and another one does not meet.

    Attributes:
        owner: who requires (normalised).
        owner_version: of it.
        name: what is required (normalised).
        specifier: the versions that would do.
        installed: the version that is there.
    """

    owner: str
    owner_version: str
    name: str
    specifier: str
    installed: str

    def describe(self) -> str:
        """Return it as `pydantic 2.13.4 requires typing-extensions>=4.14.1; 4.7.1 is installed`."""
        needs = f"{self.name}{self.specifier}"
        return f"{self.owner} {self.owner_version} requires {needs}; {self.installed} is installed"

    def to_dict(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        return {
            "owner": self.owner,
            "name": self.name,
            "required": self.specifier,
            "installed": self.installed,
        }


def find_broken_bounds(distributions: Iterable[InstalledDistribution]) -> tuple[BrokenBound, ...]:
    """Compare what the distributions require with each other. Extras are left out, and what is not installed.

    Args:
        distributions: in the order of the path; of several with one name the first counts.
    """
    first: dict[str, InstalledDistribution] = {}
    for each in distributions:
        first.setdefault(each.name, each)
    versions = {name: each.version for name, each in first.items()}
    return tuple(
        bound
        for each in first.values()
        for line in each.requires
        if (bound := _compare(each, line, versions)) is not None
    )


def list_required_names(distribution: InstalledDistribution) -> frozenset[str]:
    """The normalised names that a distribution requires without any extra."""
    lines = (line for line in distribution.requires if not _EXTRA.search(line))
    return frozenset(canonicalize_name(match[1]) for line in lines if (match := _NAME.match(line)))


def _compare(owner: InstalledDistribution, line: str, versions: Mapping[str, str]) -> BrokenBound | None:
    match = _NAME.match(line)
    name = canonicalize_name(match[1]) if match else ""
    # Most lines end here: nothing of that name, no bound, or an extra.
    if name not in versions or not any(sign in line for sign in "<>=~!") or _EXTRA.search(line):
        return None
    specifier = _read(line, versions[name])
    if not specifier:
        return None
    return BrokenBound(owner.name, owner.version, name, specifier, versions[name])


@lru_cache(maxsize=8192)
def _read(line: str, installed: str) -> str:
    """The specifier of a requirement that applies here and that `installed` does not meet; else empty."""
    try:
        requirement = Requirement(line)
        if not requirement.specifier or requirement.specifier.contains(Version(installed), prereleases=True):
            return ""
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    except (InvalidRequirement, InvalidVersion, UndefinedComparison, UndefinedEnvironmentName):
        return ""  # pip does not enforce what it cannot read either
    return str(requirement.specifier) if applies else ""
