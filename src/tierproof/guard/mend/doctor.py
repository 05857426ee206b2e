"""The doctor: finds torn packages of a process or an environment, the evidence and the remedy.

    Site + processes → LoadedFacts, DiskPackage → judge_package → TornPackage → Diagnosis

Facts are gathered in `gather_loaded` and `site`, and judged in `judge_tear`, for the doctor and for a heal alike.
Nothing is imported into the process that asks.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from tierproof.guard.capture.broken_bounds import BrokenBound
from tierproof.guard.capture.disk_history import HISTORY
from tierproof.guard.capture.mapped import MappedLibrary, read_mapped_libraries, site_roots
from tierproof.guard.mend.diagnosis import Diagnosis
from tierproof.guard.mend.fresh_import import try_imports
from tierproof.guard.mend.gather_loaded import (
    LoadedFacts,
    gather_from_outside,
    gather_here,
    list_import_names,
)
from tierproof.guard.mend.judge_tear import judge_package
from tierproof.guard.mend.settle_heals import settle_if_idle
from tierproof.guard.mend.site import Site
from tierproof.guard.mend.site_users import find_users, leave_out_present
from tierproof.guard.mend.torn import DiskPackage, LoadedPackage, Remedy, TornPackage
from tierproof.guard.system.environment_folder import tell_unreached_packages
from tierproof.guard.system.process import ProcessError, has_maps

_Judged = tuple[LoadedPackage, DiskPackage, TornPackage | None]


def diagnose_this_process(*, notes: Iterable[str] = ()) -> Diagnosis:
    """Diagnose the calling process: its modules and its mapped libraries against the disk.

    An interrupted heal is finished or undone first, which adds a note to `notes`.
    """
    began = time.perf_counter()
    HISTORY.look()
    site, told = _open_site(Site.of_this_interpreter)
    facts = gather_here(site)
    notes = [*notes, *told, *tell_unreached_packages()]
    if not has_maps():
        notes.append(
            "this system does not show the native libraries of a process, so only Python modules were compared"
        )
    bounds = _find_bounds_that_matter(site, facts)
    packages = list(facts.packages)
    known = {each.name for each in packages}
    packages += (LoadedPackage(name) for name in sorted({bound.name for bound in bounds} - known))
    torn, more = _judge(site, packages, facts, bounds)
    return _tell(site, torn, [*notes, *more], began)


def diagnose_process(pid: int, *, notes: Iterable[str] = ()) -> Diagnosis:
    """Diagnose another process of this user from outside, by its mapped libraries; `notes` are passed on.

    Raises:
        ProcessError: it does not exist, belongs to another user, or is not a Python process.
    """
    if pid == os.getpid():
        return diagnose_this_process(notes=notes)
    began = time.perf_counter()
    libraries = read_mapped_libraries(pid)
    site, told = _open_site(lambda: Site(site_roots(libraries)))
    notes = [*notes, *told]
    if not site.roots:
        if not _is_python(pid, libraries):
            raise ProcessError(
                f"process {pid} is not a Python process, or has not started yet",
                hint="List your processes with `ps -u $USER`.",
            )
        notes.append(
            f"process {pid} has loaded no native library of a package, and its pure Python modules cannot be seen from "
            "outside, so nothing was compared; call `tp.doctor()` inside the process"
        )
    torn, more = _diagnose_from_outside(site, pid, libraries)
    return _tell(site, torn, [*notes, *more], began)


def diagnose_environment() -> Diagnosis:
    """Diagnose this interpreter's environment: its files, and this user's running processes that use it."""
    began = time.perf_counter()
    site, told = _open_site(Site.of_this_interpreter)
    notes = [*told, *tell_unreached_packages()]
    users = find_users(site)
    used = _find_used(site, (library for libraries in users.values() for library in libraries))
    names = dict.fromkeys(each.name for each in site.distributions)
    torn, more = _judge(
        site, (LoadedPackage(name) for name in names), bounds=site.find_new_bounds(), used=used
    )
    found, notes = list(torn), [*notes, *more]
    site.memory.save(site.roots)
    for pid, libraries in leave_out_present(users).items():
        if libraries:
            torn, more = _diagnose_from_outside(site, pid, users[pid])
            found += torn
            notes += more
    return _tell(site, tuple(found), notes, began)


def _tell(site: Site, torn: tuple[TornPackage, ...], notes: Iterable[str], began: float) -> Diagnosis:
    return Diagnosis(
        torn,
        len(site.distributions),
        time.perf_counter() - began,
        tuple(dict.fromkeys(notes)),
        site.broken_bounds,
    )


def _find_bounds_that_matter(site: Site, facts: LoadedFacts) -> tuple[BrokenBound, ...]:
    """The requirements that an install since the start of this process has broken, of what it has loaded."""
    if not facts.changed:
        return ()
    return tuple(
        bound
        for bound in site.broken_bounds
        if bound.owner in facts.modules and not facts.changed.isdisjoint((bound.owner, bound.name))
    )


def _diagnose_from_outside(
    site: Site, pid: int, libraries: tuple[MappedLibrary, ...]
) -> tuple[tuple[TornPackage, ...], tuple[str, ...]]:
    packages = gather_from_outside(site, pid, libraries)
    is_own = any(Path(path) in site.roots for path in map(os.path.realpath, sys.path))
    return _judge(site, packages, can_try=is_own)


def _find_used(site: Site, libraries: Iterable[MappedLibrary]) -> set[str]:
    """The distributions that one of `libraries` is known to be of; their every file is looked at."""
    files = {(library.device, library.inode) for library in libraries}
    seen = (site.find_seen_library(device, inode) for device, inode in files)
    return {each[0] for each in seen if each is not None}


def _judge(
    site: Site,
    loaded: Iterable[LoadedPackage],
    facts: LoadedFacts | None = None,
    bounds: Iterable[BrokenBound] = (),
    used: Collection[str] | None = None,
    can_try: bool = True,
) -> tuple[tuple[TornPackage, ...], tuple[str, ...]]:
    """Judge each package; where it matters, again with what a fresh process could import.

    Args:
        site: the disk.
        loaded: the packages, as a process has them.
        facts: what the calling process has loaded; None where another one is judged, or none.
        bounds: requirements that an install has broken.
        used: packages whose every file is looked at; None for all.
        can_try: an interpreter of this environment is at hand.
    """
    facts = facts or LoadedFacts()
    bounds = tuple(bounds)
    judged: list[_Judged] = []
    for package in loaded:
        disk = site.examine(package.name, look_at_all=used is None or package.name in used)
        needed = {bound.specifier for bound in site.broken_bounds if bound.name == package.name}
        disk = replace(disk, needed=",".join(sorted(needed)))
        judged.append((package, disk, judge_package(package, disk)))
    trials = _plan_trials(judged, bounds, facts, site) if can_try else {}
    asked = dict.fromkeys(name for names in trials.values() for name in names)
    failed = try_imports({name: _list_imports(site, facts, name) for name in asked}, site.roots)
    torn, notes = [], []
    for package, disk, first in judged:
        found = first
        if package.name in trials:
            error = _tell_failure(package.name, trials[package.name], failed)
            disk = replace(disk, import_error=error, was_tried=True)  # noqa: PLW2901
            found = judge_package(package, disk)
        if found is not None:
            torn.append(found)
        if disk.overwritten_by:
            notes.append(
                f"{package.name} {disk.version} and {disk.overwritten_by} contain the same files; those on disk are "
                f"from {disk.overwritten_by}. Keep one of the two: uninstall both, and install the one that you need"
            )
    return tuple(torn), tuple(notes)


def _plan_trials(
    judged: Iterable[_Judged], bounds: Iterable[BrokenBound], facts: LoadedFacts, site: Site
) -> dict[str, tuple[str, ...]]:
    """Which distributions a fresh process must import to judge each package: itself, and what rests on it."""
    owners: dict[str, list[str]] = {}
    for bound in bounds:
        owners.setdefault(bound.name, []).append(bound.owner)
    planned = {}
    for package, disk, found in judged:
        name = package.name
        is_restart = found is not None and found.remedy is Remedy.RESTART
        if is_restart or disk.mismatches or name in owners:
            rests = (*facts.list_dependents(site, name), *owners.get(name, ()))
            planned[name] = tuple(dict.fromkeys((name, *rests)))
    return planned


def _list_imports(site: Site, facts: LoadedFacts, name: str) -> tuple[str, ...]:
    if name in facts.modules:
        return facts.list_imports(site, name)
    return tuple(top for top in list_import_names(site, name) if top.isidentifier())[:1]


def _tell_failure(name: str, tried: Iterable[str], failed: Mapping[str, str]) -> str:
    for each in tried:
        if each in failed:
            return failed[each] if each == name else f"{each} cannot be imported: {failed[each]}"
    return ""


def _open_site(make: Callable[[], Site]) -> tuple[Site, list[str]]:
    """Read the site anew where a dead heal had left something in part; what is to be said about it."""
    site = make()
    settled = settle_if_idle(site.roots)
    return (make() if settled else site), [*settled, *_first_sight_notes(site)]


def _first_sight_notes(site: Site) -> list[str]:
    notes = []
    for root in site.first_seen:
        first_sight = site.first_sights[root]
        dirty = sorted({*first_sight.dirty, *first_sight.duplicates})
        if dirty:
            more = f" and {len(dirty) - 5} more" if len(dirty) > 5 else ""
            notes.append(
                f"{root} was checked for the first time; files of these packages had already been changed, which is "
                f"not reported: {', '.join(dirty[:5])}{more}"
            )
    return notes


def _is_python(pid: int, libraries: Iterable[MappedLibrary]) -> bool:
    if any("/libpython" in library.path or "/lib-dynload/" in library.path for library in libraries):
        return True
    try:
        return "python" in Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return False
