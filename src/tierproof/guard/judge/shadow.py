"""Finds the installed packages, loaded by no process, that a request would have to shadow."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from tierproof.guard.capture.base import Base
from tierproof.guard.capture.declared_bounds import Bound
from tierproof.guard.judge.plan import Conflict, ShadowedPackage
from tierproof.guard.judge.protected import is_accelerator, is_protected
from tierproof.guard.resolve.lock import Lock, LockedPackage, has_native_wheel
from tierproof.guard.resolve.locked_requires import read_locked_requires
from tierproof.guard.resolve.resolve import Freedom, Resolver, Unsolvable

_TRIALS = 6
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Shadowing:
    """A resolution that changes only packages that no process has loaded; no smaller set was found.

    Attributes:
        lock: the resolution.
        shadows: the packages that change.
        conflicts: the bounds of added packages that the base breaks, and that cause the changes.
    """

    lock: Lock
    shadows: tuple[ShadowedPackage, ...]
    conflicts: tuple[Conflict, ...] = ()


def find_shadowing(
    lines: Sequence[str], resolver: Resolver, must: frozenset[str] = frozenset()
) -> Shadowing | None:
    """Resolve with as few changes as possible, all to packages that no process has loaded.

    Base packages that depend on a changed one must accept its new version. If one does not, and no process has
    loaded it, it may change as well.

    Args:
        lines: requirements as uv reads them.
        resolver: of the base.
        must: names of base packages that the request itself changes.

    Returns:
        None if that does not resolve, or would add an accelerator library.
    """
    base = resolver.base
    free = frozenset(
        name for name in base.by_name if name not in base.loaded.names and not is_protected(name)
    )
    if not free:
        return None
    solution = _find_solution(lines, free, resolver)
    if solution is None:
        return None
    found = _reduce(*solution, must)
    if any(is_accelerator(name) for name in _list_new(found, base)):
        return None
    return Shadowing(found, _describe(found, resolver), _list_broken(found, resolver))


def list_changed(lock: Lock, base: Base) -> list[str]:
    """Names of base packages that `lock` has in another version or from another source."""
    return [
        item.name
        for item in lock.packages
        if item.name in base.by_name and (item.direct or item.version != str(base.version(item.name)))
    ]


def find_dependents(name: str, bounds: Sequence[Bound]) -> tuple[str, ...]:
    """Names of the base's packages that depend on `name`, extras aside."""
    return tuple(sorted({bound.owner for bound in bounds if bound.name == name}))


@dataclass(frozen=True, slots=True)
class _Search:
    """One way to let the free packages change."""

    lines: tuple[str, ...]
    free: frozenset[str]
    constraints: tuple[str, ...]
    resolver: Resolver

    def attempt(self, changeable: frozenset[str]) -> Lock | None:
        """Resolve with everything frozen but `changeable`."""
        freedom = Freedom(
            frozen=frozenset(self.resolver.base.by_name) - changeable,
            preferred=changeable,
            constraints=self.constraints,
        )
        lock = self.resolver.resolve(self.lines, freedom)
        return None if isinstance(lock, Unsolvable) else lock


def _find_solution(
    lines: Sequence[str], free: frozenset[str], resolver: Resolver
) -> tuple[_Search, Lock] | None:
    """First with every bound of the base as it is; failing that, ask also for what a change leaves unhappy."""
    base = resolver.base
    search = _Search(tuple(lines), free, collect_bounds(resolver, base.by_name, on=free), resolver)
    lock = search.attempt(free)
    if lock is not None:
        return search, lock
    fixed = [name for name in base.by_name if name not in free]
    search = replace(search, constraints=collect_bounds(resolver, fixed, on=free))
    for _ in range(_ROUNDS):
        if not resolver.patient:
            return None
        lock = search.attempt(free)
        if lock is None:
            return None
        unhappy = _list_unhappy(lock, resolver)
        if not unhappy:
            return search, lock
        if not set(unhappy).isdisjoint(search.lines):
            return None
        search = replace(search, lines=(*search.lines, *unhappy))
    return None


def _reduce(search: _Search, lock: Lock, must: frozenset[str]) -> Lock:
    """Freeze again what need not change: all that nothing forces together, then by halves, a few times."""
    base, trials = search.resolver.base, _TRIALS
    needed = frozenset(list_changed(lock, base))
    spare = sorted(needed - must - _list_forced(lock, search.resolver))
    groups = [spare] if spare else []
    while groups and trials and search.resolver.patient:
        group = groups.pop(0)
        if not needed.issuperset(group):  # frozen meanwhile
            continue
        trials -= 1
        found = search.attempt(needed - set(group))
        if found is not None and not _list_unhappy(found, search.resolver):
            lock, needed = found, frozenset(list_changed(found, base))
        elif len(group) > 1:
            half = len(group) // 2
            groups += [group[:half], group[half:]]
    return lock


def _list_forced(lock: Lock, resolver: Resolver) -> frozenset[str]:
    """Names that cannot go back to the base's version as long as the others stay as they are.

    Their base version breaks a bound that an added or changed package declares (extras among them), or
    declares one that a changed package breaks.
    """
    base = resolver.base
    changed = frozenset(list_changed(lock, base))
    own = {
        bound.owner
        for bound in resolver.bounds
        if bound.owner in changed
        and bound.name in changed
        and (new := lock.get(bound.name)) is not None
        and _holds(bound, base.version(bound.name))
        and not _holds(bound, new.version)
    }
    found = [item for item in lock.packages if item.name not in base.by_name or item.name in changed]
    return frozenset(own).union(
        name for _, name, _requirement in _iterate_unmet(found, resolver) if name in changed
    )


def _list_broken(lock: Lock, resolver: Resolver) -> tuple[Conflict, ...]:
    """Return what added packages need of those of the base that change."""
    base = resolver.base
    changed = frozenset(list_changed(lock, base))
    added = [item for item in lock.packages if item.name not in base.by_name]
    return tuple(
        dict.fromkeys(
            Conflict(name, base.by_name[name].version, str(requirement.specifier), owner)
            for owner, name, requirement in _iterate_unmet(added, resolver)
            if name in changed
        )
    )


def _iterate_unmet(
    packages: Sequence[LockedPackage], resolver: Resolver
) -> Iterator[tuple[str, str, Requirement]]:
    """Yield each package with the name of one of the base that does not satisfy it, and the requirement."""
    base, environment = resolver.base, resolver.settings.environment
    with ThreadPoolExecutor(8) as pool:
        declared = pool.map(lambda item: read_locked_requires(item, environment) or (), packages)
        for package, requirements in zip(packages, declared, strict=True):
            for requirement in requirements:
                name = canonicalize_name(requirement.name)
                installed = base.version(name)
                if (
                    installed is not None
                    and not requirement.specifier.contains(installed, prereleases=True)
                    and _may_apply(requirement, base.markers)
                ):
                    yield package.name, name, requirement


def _may_apply(requirement: Requirement, markers: Mapping[str, str]) -> bool:
    if requirement.marker is None:
        return True
    extras = re.findall(r"""extra == ["']([^"']+)["']""", str(requirement.marker))
    return any(requirement.marker.evaluate({**markers, "extra": extra}) for extra in ("", *extras))


def _list_unhappy(lock: Lock, resolver: Resolver) -> list[str]:
    """Names of the base's packages, unchanged themselves, of which a change breaks a bound that holds now."""
    base = resolver.base
    changed = {name: new for name in list_changed(lock, base) if (new := lock.get(name)) is not None}
    unhappy = {
        bound.owner
        for bound in resolver.bounds
        if bound.owner not in changed
        and bound.name in changed
        and _holds(bound, base.version(bound.name))
        and not _holds(bound, changed[bound.name].version)
    }
    return sorted(unhappy)


def collect_bounds(resolver: Resolver, owners: Collection[str], *, on: Collection[str]) -> tuple[str, ...]:
    """Return the bounds that `owners` put on packages in `on`, except those that the base already breaks."""
    if not on:
        return ()
    among, about = frozenset(owners), frozenset(on)
    found = {
        f"{bound.name}{bound.specifier}"
        for bound in resolver.bounds
        if bound.specifier
        and bound.owner in among
        and bound.name in about
        and _holds(bound, resolver.base.version(bound.name))
    }
    return tuple(sorted(found))


def find_loaded_bounds(lock: Lock, resolver: Resolver) -> tuple[Bound, ...]:
    """Return the bounds of loaded packages that hold now and that the changes of `lock` would break."""
    base = resolver.base
    changed = {name: new.version for name in list_changed(lock, base) if (new := lock.get(name)) is not None}
    return tuple(
        bound
        for bound in resolver.bounds
        if bound.owner in base.loaded.names
        and bound.owner not in changed
        and bound.name in changed
        and _holds(bound, base.version(bound.name))
        and not _holds(bound, changed[bound.name])
    )


def _holds(bound: Bound, version: Version | str | None) -> bool:
    return version is not None and SpecifierSet(bound.specifier).contains(version, prereleases=True)


def _list_new(lock: Lock, base: Base) -> list[str]:
    return [item.name for item in lock.packages if item.name not in base.by_name]


def _describe(lock: Lock, resolver: Resolver) -> tuple[ShadowedPackage, ...]:
    base = resolver.base
    found = []
    for name in list_changed(lock, base):
        item = lock.get(name)
        assert item is not None
        if name in base.added:
            continue
        found.append(
            ShadowedPackage(
                name, base.by_name[name].version, item.version, find_dependents(name, resolver.bounds)
            )
        )
    matters = {item.name: has_native_wheel(item) for item in lock.packages}
    return tuple(sorted(found, key=lambda item: (not (matters[item.name] or _is_major(item)), item.name)))


def _is_major(item: ShadowedPackage) -> bool:
    """Tell whether the first number of the version changes."""
    old, new = Version(item.base), Version(item.version or "0")
    return (old.epoch, old.major) != (new.epoch, new.major)
