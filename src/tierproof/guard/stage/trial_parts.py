"""Parts an import trial between two processes: which packages each begins with, and what it imports beforehand."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from tierproof.guard.capture.base import Base
from tierproof.guard.resolve.lock import Lock, LockedPackage
from tierproof.guard.resolve.locked_requires import read_kept_requires
from tierproof.guard.stage.warm_modules import choose_warm_modules, is_of_extra, read_required_names


@dataclass(frozen=True, slots=True)
class TrialParts:
    """How a trial is parted. One process goes through the packages from the first on, the other from the last back.

    Attributes:
        order: names of the packages: what belongs together side by side, each after what it requires.
        warm: what each process imports beforehand, modules of the base; one process or two.
    """

    order: tuple[str, ...] = ()
    warm: tuple[tuple[str, ...], ...] = ()


def part_trial(lock: Lock, fetched: Collection[str], base: Base) -> TrialParts:
    """Part a trial so that two processes have little to import twice.

    Packages that require one another, directly or not, form a group; the last group rests on the most packages of
    the base. A single group is one process's: another would have to import most of it again.

    Args:
        lock: the whole resolution.
        fetched: names of what is fetched.
        base: what is installed.
    """
    items = {item.name: item for item in lock.packages if item.name in fetched}
    needs = {name: _read_needs(item, lock) for name, item in items.items()}
    groups = _group(needs)
    reached = [_reach(group, needs, lock, base) for group in groups]
    ranked = sorted(range(len(groups)), key=lambda number: (len(reached[number]), min(groups[number])))
    order = tuple(name for number in ranked for name in groups[number])
    if len(groups) < 2 or _count_cores() < 2:
        used: frozenset[str] = frozenset().union(*reached)
        return TrialParts(order, (choose_warm_modules(used, base),))
    ends = (reached[ranked[0]], reached[ranked[-1]])
    return TrialParts(order, tuple(choose_warm_modules(used, base) for used in ends))


def _read_needs(item: LockedPackage, lock: Lock) -> frozenset[str]:
    """Names of the lock that a package requires: all of them where it is not known."""
    declared = read_kept_requires(item)
    known = {each.name for each in lock.packages} - {item.name}
    if declared is None:
        return frozenset(known)
    return frozenset(known & {canonicalize_name(each.name) for each in declared if not is_of_extra(each)})


def _group(needs: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """Group the packages that require one another; in a group each comes after what it requires."""
    neighbours: dict[str, set[str]] = {name: set() for name in needs}
    for name, required in needs.items():
        for other in required:
            if other in neighbours:
                neighbours[name].add(other)
                neighbours[other].add(name)
    groups: list[tuple[str, ...]] = []
    seen: set[str] = set()
    for first in sorted(needs):
        if first in seen:
            continue
        members = {first}
        waiting = [first]
        while waiting:
            waiting += (new := neighbours[waiting.pop()] - members)
            members |= new
        seen |= members
        groups.append(_sort_by_needs(members, needs))
    return groups


def _sort_by_needs(members: Collection[str], needs: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    done: dict[str, None] = {}
    waiting = sorted(members, reverse=True)
    begun: set[str] = set()
    while waiting:
        name = waiting[-1]
        before = [each for each in sorted(needs[name]) if each in members and each not in begun]
        if name not in begun and before:
            begun.add(name)
            waiting += reversed(before)
            continue
        begun.add(name)
        done[waiting.pop()] = None
    return tuple(done)


def _reach(
    group: Collection[str], needs: Mapping[str, Collection[str]], lock: Lock, base: Base
) -> frozenset[str]:
    """Return the packages of the base that a group rests on, those of the resolution alone."""
    known = {item.name for item in lock.packages if item.name in base.by_name} - set(needs)
    reached: set[str] = set()
    waiting = [other for name in group for other in needs[name] if other in known]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [other for other in read_required_names(base.by_name[name]) if other in known]
    return frozenset(reached)


def _count_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
