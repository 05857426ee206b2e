"""Which modules of the base an import trial imports while the packages that rest on them are fetched."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tierproof.guard.capture.base import Base
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.record import read_record
from tierproof.guard.resolve.lock import Lock

_SUFFIXES = (".so", ".pyd")


def choose_warm_modules(lock: Lock, fetched: Collection[str], base: Base) -> tuple[str, ...]:
    """List the main module of each package of the base that the fetched ones rest on.

    A package that another of them requires is left to that one: sympy is imported by torch, if at all.

    Args:
        lock: the whole resolution.
        fetched: names of what is fetched.
        base: what is installed.
    """
    used = {
        item.name: base.by_name[item.name]
        for item in lock.packages
        if item.name in base.by_name and item.name not in fetched
    }
    required = {name for each in used.values() for name in _read_names(each) if name != each.name}
    roots = [each for name, each in used.items() if name not in required]
    return tuple(dict.fromkeys(module for each in roots if (module := _find_main_module(each))))


def _read_names(distribution: InstalledDistribution) -> list[str]:
    names: list[str] = []
    for line in distribution.requires:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.marker is None or "extra" not in str(requirement.marker):
            names.append(canonicalize_name(requirement.name))
    return names


def _find_main_module(distribution: InstalledDistribution) -> str:
    """Find the module that is called as the package, else its only one; empty where that is not clear."""
    tops: Mapping[str, None] = dict.fromkeys(
        top
        for entry in read_record(distribution.metadata_path)
        if (top := _read_top(entry.path)) and not top.startswith("_")
    )
    named = [top for top in tops if canonicalize_name(top) == distribution.name]
    return named[0] if named else next(iter(tops), "") if len(tops) == 1 else ""


def _read_top(path: str) -> str:
    """The importable name at the top of a path of RECORD; empty for data, metadata and scripts."""
    first, slash, rest = path.partition("/")
    if slash:
        return first if first.isidentifier() and rest == "__init__.py" else ""
    name = first.partition(".")[0]
    return name if first.endswith((".py", *_SUFFIXES)) and name.isidentifier() else ""
