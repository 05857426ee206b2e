"""What the packages of a base declare about each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tierproof.guard.capture.installed import InstalledDistribution


@dataclass(frozen=True, slots=True)
class Bound:
    """`owner` depends on `name` (both normalised) in the versions of `specifier`, which may be empty."""

    owner: str
    name: str
    specifier: str


def iterate_bounds(item: InstalledDistribution) -> Iterator[Requirement]:
    """Yield the requirements that an installed distribution declares and that can be read."""
    return parse_requires(item.requires)


def parse_requires(lines: Iterable[str]) -> Iterator[Requirement]:
    """Yield the requirements of Requires-Dist lines, without those that cannot be read."""
    for line in lines:
        try:
            yield Requirement(line)
        except InvalidRequirement:  # pip never enforced what it could not read; nor can a plan
            continue


def list_bounds(owner: str, requirements: list[Requirement], markers: Mapping[str, str]) -> list[Bound]:
    """Return those of a package's requirements that apply without any extra."""
    values = {**markers, "extra": ""}
    return [
        Bound(owner, canonicalize_name(each.name), str(each.specifier))
        for each in requirements
        if each.marker is None or each.marker.evaluate(values)
    ]
