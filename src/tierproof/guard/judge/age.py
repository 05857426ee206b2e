"""Finds added releases that are much older than the latest one: a resolver picks them silently, a plan says so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tierproof.guard.commands.requirement import RequestedPackage, Source
from tierproof.guard.judge.plan import AgedPackage
from tierproof.guard.resolve.lock import Lock, LockedPackage
from tierproof.guard.resolve.resolve import Freedom, Resolver, Unsolvable

# A year behind is old for any package. A major release behind is old after half a year: before, many
# projects still maintain both.
_OLD = timedelta(days=365)
_OLD_MAJOR = timedelta(days=182)


def find_aged(
    requested: Sequence[RequestedPackage], lock: Lock, resolver: Resolver
) -> tuple[AgedPackage, ...]:
    """Find requested packages that would be added in a much older release than the request allows.

    Compares with the latest release that has a wheel for this interpreter. A pinned version is never aged.
    """
    base = resolver.base
    chosen: dict[str, LockedPackage] = {}
    for item in requested:
        found = lock.get(item.name)
        if item.source is not Source.INDEX or found is None or _is_pinned(item):
            continue
        if found.version != str(base.version(item.name)):  # added, or in place of the base's
            chosen[item.name] = found
    if not chosen:
        return ()
    lines = [f"{item.name}{item.specifier}" for item in requested if item.name in chosen]
    latest = resolver.resolve(lines, Freedom(), dependencies=False)
    if isinstance(latest, Unsolvable):
        return ()
    return tuple(
        AgedPackage(name, found.version, newest.version)
        for name, found in chosen.items()
        if (newest := latest.get(name)) is not None and is_markedly_older(found, newest)
    )


def is_markedly_older(found: LockedPackage, newest: LockedPackage) -> bool:
    """Compare by the time between the two uploads, or by the version numbers if the index has no dates."""
    if Version(found.version) >= Version(newest.version):
        return False
    behind = _major(found.version) < _major(newest.version)
    if found.uploaded is None or newest.uploaded is None:
        return behind
    gap = newest.uploaded - found.uploaded
    return gap >= _OLD or (behind and gap >= _OLD_MAJOR)


def _major(version: str) -> tuple[int, int]:
    parsed = Version(version)
    return parsed.epoch, parsed.major


def _is_pinned(item: RequestedPackage) -> bool:
    return any(bound.operator in ("==", "===") for bound in SpecifierSet(item.specifier))
