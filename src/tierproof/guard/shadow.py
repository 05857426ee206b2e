"""Which packages of the base, loaded by nobody, would another version have to stand before?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from tierproof.guard.base import Base
from tierproof.guard.lock import Lock
from tierproof.guard.plan import ShadowedPackage
from tierproof.guard.protected import is_accelerator, is_protected
from tierproof.guard.resolve import Freedom, Resolver, Unsolvable
from tierproof.guard.stub_index import iterate_bounds

_TRIALS = 16
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Shadowing:
    """A resolution in which only packages that nobody has loaded change, and no fewer were found."""

    lock: Lock
    shadows: tuple[ShadowedPackage, ...]


def find_shadowing(lines: Sequence[str], resolver: Resolver) -> Shadowing | None:
    """Let the packages that nobody has loaded change, as few as possible.

    A package of the base that depends on a changed one must be content with the new version: first all of
    them as they are; failing that, those that nobody has loaded may change as well.

    Returns:
        None where that does not resolve, or brings an accelerator library.
    """
    base = resolver.base
    free = frozenset(
        name for name in base.by_name if name not in base.loaded.names and not is_protected(name)
    )
    if not free:
        return None
    bound = collect_bounds(base, base.by_name, on=free)
    found = _search(lines, free, bound, resolver)
    if found is None:
        found = _search_with_dependents(lines, free, resolver)
    if found is None or any(is_accelerator(name) for name in _list_new(found, base)):
        return None
    return Shadowing(found, _describe(found, base))


def list_changed(lock: Lock, base: Base) -> list[str]:
    """Names of the base's packages that `lock` has in another version or from elsewhere."""
    return [
        item.name
        for item in lock.packages
        if item.name in base.by_name and (item.direct or item.version != str(base.version(item.name)))
    ]


def find_dependents(name: str, base: Base) -> tuple[str, ...]:
    """Names of the base's packages that depend on `name`, extras aside."""
    found = []
    for item in base.by_name.values():
        for requirement in iterate_bounds(item):
            applies = requirement.marker is None or requirement.marker.evaluate({**base.markers, "extra": ""})
            if applies and canonicalize_name(requirement.name) == name:
                found.append(item.name)
                break
    return tuple(sorted(found))


def _search(
    lines: Sequence[str], free: frozenset[str], constraints: tuple[str, ...], resolver: Resolver
) -> Lock | None:
    everything = frozenset(resolver.base.by_name)

    def attempt(changeable: frozenset[str]) -> Lock | None:
        freedom = Freedom(frozen=everything - changeable, preferred=changeable, constraints=constraints)
        lock = resolver.resolve(lines, freedom)
        return None if isinstance(lock, Unsolvable) else lock

    lock = attempt(free)
    if lock is None:
        return None
    changed = list_changed(lock, resolver.base)
    needed = frozenset(changed)
    if needed != free and (solution := attempt(needed)) is not None:
        lock = solution
    for name in changed[:_TRIALS] if len(changed) > 1 else ():
        solution = attempt(needed - {name})
        if solution is not None:
            lock, needed = solution, needed - {name}
    return lock


def _search_with_dependents(lines: Sequence[str], free: frozenset[str], resolver: Resolver) -> Lock | None:
    """Ask also for the dependents that a change would leave unhappy, until none is left."""
    base = resolver.base
    constraints = collect_bounds(base, [name for name in base.by_name if name not in free], on=free)
    asked = list(lines)
    for _ in range(_ROUNDS):
        lock = _search(asked, free, constraints, resolver)
        if lock is None:
            return None
        unhappy = _list_unhappy(lock, base)
        if not unhappy:
            return lock
        if not set(unhappy).isdisjoint(asked):
            return None
        asked += unhappy
    return None


def _list_unhappy(lock: Lock, base: Base) -> list[str]:
    changed = {name: new for name in list_changed(lock, base) if (new := lock.get(name)) is not None}
    unhappy = set()
    for item in base.by_name.values():
        if item.name in changed:
            continue
        for requirement in iterate_bounds(item):
            new = changed.get(canonicalize_name(requirement.name))
            applies = requirement.marker is None or requirement.marker.evaluate({**base.markers, "extra": ""})
            before = base.version(canonicalize_name(requirement.name))
            content = before is not None and requirement.specifier.contains(before, prereleases=True)
            if (
                new
                and applies
                and content
                and not requirement.specifier.contains(new.version, prereleases=True)
            ):
                unhappy.add(item.name)
    return sorted(unhappy)


def collect_bounds(base: Base, owners: Collection[str], *, on: Collection[str]) -> tuple[str, ...]:
    """Give the bounds that `owners` put on packages in `on`, those that the base breaks already aside."""
    found = set()
    for owner in owners:
        for requirement in iterate_bounds(base.by_name[owner]):
            name = canonicalize_name(requirement.name)
            version = base.version(name)
            applies = requirement.marker is None or requirement.marker.evaluate({**base.markers, "extra": ""})
            if name not in on or version is None or not applies or not requirement.specifier:
                continue
            if requirement.specifier.contains(version, prereleases=True):
                found.add(f"{name}{requirement.specifier}")
    return tuple(sorted(found))


def _list_new(lock: Lock, base: Base) -> list[str]:
    return [item.name for item in lock.packages if item.name not in base.by_name]


def _describe(lock: Lock, base: Base) -> tuple[ShadowedPackage, ...]:
    found = []
    for name in list_changed(lock, base):
        item = lock.get(name)
        assert item is not None
        if name in base.added:
            continue
        found.append(
            ShadowedPackage(name, base.by_name[name].version, item.version, find_dependents(name, base))
        )
    return tuple(found)
