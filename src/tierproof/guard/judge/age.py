"""Finds releases that are much older than the latest or the installed one: a resolver picks them silently."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tierproof.guard.capture.base import Base
from tierproof.guard.commands.requirement import RequestedPackage, Source
from tierproof.guard.judge.plan import AgedPackage
from tierproof.guard.resolve.lock import Lock, LockedPackage
from tierproof.guard.resolve.resolve import Resolver, Unsolvable

# A year behind is old for any package. A major release behind is old after half a year: before, many
# projects still maintain both.
_OLD = timedelta(days=365)
_OLD_MAJOR = timedelta(days=182)


def find_aged(
    requested: Sequence[RequestedPackage], lock: Lock, resolver: Resolver
) -> tuple[AgedPackage, ...]:
    """Find packages that would be added in a much older release than the request allows, or take a major step back.

    A requested package is compared with the latest release that this Python takes, with a wheel or without: where
    new releases have no wheel, a resolver goes back to whichever still has one. A version that the request pins is
    not compared. Whichever package is installed in a later major version is aged in any case.
    """
    base = resolver.base
    chosen: dict[str, LockedPackage] = {}
    for item in requested:
        found = lock.get(item.name)
        if item.source is not Source.INDEX or found is None or _is_pinned(item):
            continue
        if found.version != str(base.version(item.name)):  # added, or in place of the base's
            chosen[item.name] = found
    steps = {item.name: item for item in lock.packages if _steps_back(item, base)}
    if not chosen:
        return tuple(_age_by_base(item, base) for item in steps.values())
    lines = [f"{item.name}{item.specifier}" for item in requested if item.name in chosen]
    newer = _find_latest(lines, resolver)
    aged = [
        AgedPackage(newest.name, chosen[newest.name].version, newest.version)
        for newest in newer
        if newest.name in chosen and is_markedly_older(chosen[newest.name], newest)
    ]
    told = {item.name for item in aged}
    return (*aged, *(_age_by_base(item, base) for name, item in steps.items() if name not in told))


def _find_latest(lines: Sequence[str], resolver: Resolver) -> tuple[LockedPackage, ...]:
    """Find the newest releases that this Python takes; what a release without a wheel takes, only its page tells."""
    found = resolver.locate(lines)
    if isinstance(found, Unsolvable):
        return ()
    built = [item.name for item in found.packages if item.built]
    if built and resolver.exclude_by_python(built):
        found = resolver.locate(lines)
    return () if isinstance(found, Unsolvable) else found.packages


def _steps_back(item: LockedPackage, base: Base) -> bool:
    installed = base.version(item.name)
    return bool(item.version) and installed is not None and _major(item.version) < _major(str(installed))


def _age_by_base(item: LockedPackage, base: Base) -> AgedPackage:
    return AgedPackage(item.name, item.version, base.by_name[item.name].version)


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
