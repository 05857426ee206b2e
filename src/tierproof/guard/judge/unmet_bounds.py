"""Finds requirements of added packages that are not met, from metadata alone, without an index."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tierproof.guard.capture.base import Base
from tierproof.guard.capture.declared_bounds import iterate_bounds
from tierproof.guard.capture.installed import InstalledDistribution, capture_installed
from tierproof.guard.judge.plan import Conflict


def find_unmet_bounds(site: Path, base: Base, waived: Collection[str] = ()) -> tuple[Conflict, ...]:
    """Compare what the packages in `site` require with each other and with the base. Extras are left out.

    Args:
        site: a generation's importable folder.
        base: without that generation.
        waived: normalised names of base packages on which bounds are waived.
    """
    added = {item.name: item for item in capture_installed([str(site)])}
    found = []
    for item in added.values():
        for requirement in iterate_bounds(item):
            name = canonicalize_name(requirement.name)
            applies = requirement.marker is None or requirement.marker.evaluate({**base.markers, "extra": ""})
            if not applies or name in waived:
                continue
            version = _find_version(name, added, base)
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                found.append(
                    Conflict(
                        name,
                        str(version or "nothing"),
                        str(requirement.specifier) or "any version",
                        item.name,
                    )
                )
    return tuple(dict.fromkeys(found))


def list_required(site: Path, base: Base) -> dict[str, frozenset[str]]:
    """Return the normalised names that each package in `site` requires, including those of its extras."""
    return {
        item.name: frozenset(
            canonicalize_name(requirement.name)
            for requirement in iterate_bounds(item)
            if requirement.marker is None
            or any(
                requirement.marker.evaluate({**base.markers, "extra": extra})
                for extra in ("", *_extras(item))
            )
        )
        for item in capture_installed([str(site)])
    }


def _extras(item: InstalledDistribution) -> tuple[str, ...]:
    import re

    return tuple(dict.fromkeys(re.findall(r"""extra\s*==\s*["']([^"']+)["']""", "\n".join(item.requires))))


def _find_version(name: str, added: Mapping[str, InstalledDistribution], base: Base) -> Version | None:
    if name in added:
        try:
            return Version(added[name].version)
        except InvalidVersion:
            return None
    return base.version(name)
