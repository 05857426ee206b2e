"""Finds the smallest conflict: the bounds that the base breaks, found by relaxing one package at a time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tierproof.guard.capture.base import Base
from tierproof.guard.commands.requirement import RequestedPackage, Source
from tierproof.guard.judge.plan import Conflict
from tierproof.guard.resolve.lock import Lock
from tierproof.guard.resolve.locked_requires import read_locked_requires
from tierproof.guard.resolve.resolve import Freedom, Resolver, Unsolvable

_TRIALS = 16
_NAMED = 4


@dataclass(frozen=True, slots=True)
class Waiver:
    """A resolution that keeps the whole base once `conflicts` are waived; no smaller set was found."""

    lock: Lock
    conflicts: tuple[Conflict, ...]


def find_direct_conflicts(requested: Sequence[RequestedPackage], base: Base) -> tuple[Conflict, ...]:
    """Return the requirements that ask for another version of an installed package."""
    found = []
    for item in requested:
        installed = base.by_name.get(item.name)
        if installed is None or item.name in base.replaceable:
            continue
        if item.source is not Source.INDEX:
            found.append(Conflict(item.name, installed.version, f"from {_place(item)}", "the request"))
        elif not item.allows(installed.version):
            found.append(Conflict(item.name, installed.version, item.specifier, "the request"))
    return tuple(dict.fromkeys(found))


def find_waiver(
    requested: Sequence[RequestedPackage], lines: Sequence[str], resolver: Resolver
) -> Waiver | None:
    """Find the fewest base packages on which a bound must be waived.

    First all bounds on the base are lifted. Then, for each base package that breaks a bound, the bound is
    restored; it stays if a solution remains.

    Returns:
        None if nothing resolves even without any bound on the base.
    """
    base = resolver.base
    everything = frozenset(base.by_name)
    lock = resolver.resolve(lines, Freedom(frozen=everything, overridden=everything))
    if isinstance(lock, Unsolvable):
        return None
    broken = find_broken_bounds(requested, lock, resolver)
    lifted = {item.package for item in broken}
    for name in sorted(lifted)[:_TRIALS]:
        if not resolver.patient:
            break
        fewer = frozenset(lifted - {name})
        solution = resolver.resolve(lines, Freedom(frozen=everything, overridden=fewer))
        if isinstance(solution, Lock):
            lock, lifted = solution, set(fewer)
            broken = find_broken_bounds(requested, lock, resolver)
    return Waiver(lock, broken)


def find_broken_bounds(
    requested: Sequence[RequestedPackage], lock: Lock, resolver: Resolver
) -> tuple[Conflict, ...]:
    """Find the bounds of added packages that the base does not meet."""
    base = resolver.base
    added = [item for item in lock.packages if item.name not in base.by_name]
    extras = {item.name: item.extras for item in requested}
    with ThreadPoolExecutor(8) as pool:
        environment = resolver.settings.environment
        declared = list(pool.map(lambda item: read_locked_requires(item, environment), added))
    found = [
        conflict
        for package, requirements in zip(added, declared, strict=True)
        for requirement in requirements or ()
        if (conflict := _compare(package.name, requirement, extras.get(package.name, ()), base)) is not None
    ]
    return tuple(dict.fromkeys(found))


def describe_conflicts(conflicts: Sequence[Conflict], base: Base) -> str:
    """Put conflicts into one sentence: `open3d needs ipywidgets ≥ 8.0.4; this kernel has 7.7.1 (loaded)`.

    Conflicts about loaded packages come first; of many, only the first few are named.
    """
    described = []
    kept_by = "the image" if base.platform else "this kernel"
    ordered = sorted(conflicts, key=lambda item: item.package not in base.loaded.names)
    for item in ordered[:_NAMED]:
        state = " (loaded)" if item.package in base.loaded.names else ""
        verb = "asks for" if item.required_by == "the request" else "needs"
        described.append(
            f"{item.required_by} {verb} {item.package} {spell_bounds(item.required)}; "
            f"{kept_by} has {item.installed}{state}"
        )
    if len(ordered) > _NAMED:
        described.append(f"{len(ordered) - _NAMED} more version bounds are not met")
    return ", and ".join(described)


def _compare(owner: str, requirement: Requirement, extras: Sequence[str], base: Base) -> Conflict | None:
    name = canonicalize_name(requirement.name)
    installed = base.version(name)
    if installed is None or requirement.specifier.contains(installed, prereleases=True):
        return None
    applies = requirement.marker is None or any(
        requirement.marker.evaluate({**base.markers, "extra": extra}) for extra in ("", *extras)
    )
    return Conflict(name, base.by_name[name].version, str(requirement.specifier), owner) if applies else None


def _place(item: RequestedPackage) -> str:
    return (item.line.partition(" @ ")[2] or item.line).rstrip("/").rpartition("/")[2] or "a path"


def spell_bounds(required: str) -> str:
    """Put a specifier into words: `≥ 8.0.4, < 9`; an exact version by itself."""
    bounds = [bound.strip() for bound in required.split(",")]
    signs = {">=": "≥ ", "<=": "≤ ", "==": "", "!=": "other than ", "~=": "~= ", ">": "> ", "<": "< "}
    spelled = []
    for bound in sorted(bounds, reverse=True):
        sign = next((sign for sign in signs if bound.startswith(sign)), "")
        spelled.append(signs.get(sign, "") + bound.removeprefix(sign))
    return ", ".join(spelled)
