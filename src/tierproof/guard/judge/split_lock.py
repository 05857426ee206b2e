"""Compares a resolution with the base: what it adds, what it reuses, and which loaded packages it concerns."""

from __future__ import annotations

from collections.abc import Sequence

from tierproof.guard.capture.base import Base
from tierproof.guard.judge.explain_plan import name_packages
from tierproof.guard.judge.plan import AddedPackage, Conflict, ReusedPackage
from tierproof.guard.judge.protected import is_accelerator
from tierproof.guard.judge.shadow import list_changed
from tierproof.guard.resolve.lock import Lock


def split_lock(lock: Lock, base: Base) -> tuple[tuple[AddedPackage, ...], tuple[ReusedPackage, ...]]:
    """Split a resolution into packages to add (absent, or in another version) and packages to reuse."""
    changed = set(list_changed(lock, base))
    add = [
        AddedPackage(item.name, item.version, item.bytes)
        for item in lock.packages
        if item.name not in base.by_name or item.name in changed
    ]
    reuse = [
        ReusedPackage(item.name, base.by_name[item.name].version)
        for item in lock.packages
        if item.name in base.by_name and item.name not in changed
    ]
    return tuple(add), tuple(reuse)


def name_accelerators(lock: Lock, base: Base) -> str:
    """Name the accelerator libraries that the resolution would add; empty if there are none."""
    return name_packages(
        [item.name for item in lock.packages if item.name not in base.by_name and is_accelerator(item.name)]
    )


def list_loaded(conflicts: Sequence[Conflict], base: Base) -> tuple[str, ...]:
    """List the loaded packages that the conflicts are about, sorted."""
    return tuple(sorted({item.package for item in conflicts if item.package in base.loaded.names}))
