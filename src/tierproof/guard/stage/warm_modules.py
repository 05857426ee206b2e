"""Which modules of the base an import trial imports while the packages that rest on them are fetched."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tierproof.guard.capture.base import Base
from tierproof.guard.capture.declared_bounds import iterate_bounds
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.record import read_record

_SUFFIXES = (".so", ".pyd")


def choose_warm_modules(used: Collection[str], base: Base) -> tuple[str, ...]:
    """List the main module of each package of the base that is used.

    A package that another of them requires is left to that one: sympy is imported by torch, if at all.

    Args:
        used: normalised names of packages of the base.
        base: what is installed.
    """
    required = {name for each in used for name in read_required_names(base.by_name[each]) if name != each}
    roots = [base.by_name[name] for name in sorted(used) if name not in required]
    return tuple(dict.fromkeys(module for each in roots if (module := _find_main_module(each))))


def read_required_names(distribution: InstalledDistribution) -> list[str]:
    """Return the normalised names that a distribution requires, extras left out."""
    return [canonicalize_name(each.name) for each in iterate_bounds(distribution) if not is_of_extra(each)]


def is_of_extra(requirement: Requirement) -> bool:
    """Tell whether it holds only where an extra is asked for."""
    return requirement.marker is not None and "extra" in str(requirement.marker)


def _find_main_module(distribution: InstalledDistribution) -> str:
    """Find the module that is called as the package, else its only one; empty where that is not clear."""
    named = distribution.name.replace("-", "_")
    if named.isidentifier() and (distribution.root / named / "__init__.py").is_file():
        return named  # no need to read the fifteen thousand lines of torch
    tops: Mapping[str, None] = dict.fromkeys(
        top
        for entry in read_record(distribution.metadata_path)
        if (top := _read_top(entry.path)) and not top.startswith("_")
    )
    called = [top for top in tops if canonicalize_name(top) == distribution.name]
    return called[0] if called else next(iter(tops), "") if len(tops) == 1 else ""


def _read_top(path: str) -> str:
    """The importable name at the top of a path of RECORD; empty for data, metadata and scripts."""
    first, slash, rest = path.partition("/")
    if slash:
        return first if first.isidentifier() and rest == "__init__.py" else ""
    name = first.partition(".")[0]
    return name if first.endswith((".py", *_SUFFIXES)) and name.isidentifier() else ""
