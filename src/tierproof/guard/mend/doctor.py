"""The doctor: finds torn packages of a process or an environment, the evidence and the remedy.

Facts are captured here and judged in `torn`. Nothing is imported into the process that asks.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name

from tierproof.guard.capture.loaded import (
    LoadedModule,
    capture_loaded_modules,
    choose_version,
    holds_other_code,
)
from tierproof.guard.capture.mapped import MappedLibrary, is_replaced, read_mapped_libraries, site_roots
from tierproof.guard.capture.remote_version import read_remote_versions
from tierproof.guard.mend.diagnosis import Diagnosis
from tierproof.guard.mend.settle_heals import settle_if_idle
from tierproof.guard.mend.site import Site
from tierproof.guard.mend.site_users import find_users, leave_out_present
from tierproof.guard.mend.torn import DiskPackage, LoadedPackage, TornPackage, judge_package
from tierproof.guard.system.environment_folder import tell_unreached_packages
from tierproof.guard.system.process import ProcessError, has_maps, process_started_at
from tierproof.guard.system.run_child import run_child

_IMPORT_LIMIT_S = 60
# A file's time and a process's come from clocks of different grain.
_CLOCK_GRAIN_S = 1.0


def diagnose_this_process(*, notes: Iterable[str] = ()) -> Diagnosis:
    """Diagnose the calling process: its modules and its mapped libraries against the disk.

    An interrupted heal is finished or undone first, which adds a note to `notes`.
    """
    began = time.perf_counter()
    site, told = _open_site(Site.of_this_interpreter)
    modules = site.place(capture_loaded_modules())
    tops = {module.name.partition(".")[0] for module, _ in modules}
    notes = [*notes, *told, *tell_unreached_packages()]
    replaced: dict[str, list[MappedLibrary]] = {}
    if has_maps():
        replaced = find_replaced(site, os.getpid(), read_mapped_libraries(os.getpid()), tops)
    else:
        notes.append("this system does not show mapped libraries, so only modules were compared")
    changed = {each.name for each in site.find_changed_since(_start_of(os.getpid()))}
    loaded = _gather(site, modules, changed, replaced)
    torn = _judge(site, (each for each in loaded if _is_suspect(each, changed)), sys.executable)
    return Diagnosis(torn, len(site.distributions), time.perf_counter() - began, tuple(notes))


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
            raise ProcessError(f"process {pid} is not a Python process, or has not started yet")
        notes.append(
            "the process has loaded no native library of a package; pure Python modules are invisible from outside"
        )
    torn = _diagnose_from_outside(site, pid, libraries)
    return Diagnosis(torn, len(site.distributions), time.perf_counter() - began, tuple(notes))


def diagnose_environment() -> Diagnosis:
    """Diagnose this interpreter's environment: its files, and this user's running processes that use it."""
    began = time.perf_counter()
    site, told = _open_site(Site.of_this_interpreter)
    notes = [*told, *tell_unreached_packages()]
    users = find_users(site)
    used = _find_used(site, (library for libraries in users.values() for library in libraries))
    names = dict.fromkeys(each.name for each in site.distributions)
    torn = list(_judge(site, (LoadedPackage(name) for name in names), sys.executable, used))
    site.memory.save(site.roots)
    for pid, libraries in leave_out_present(users).items():
        torn += _diagnose_from_outside(site, pid, libraries)
    return Diagnosis(tuple(torn), len(site.distributions), time.perf_counter() - began, tuple(notes))


def find_replaced(
    site: Site, pid: int, libraries: Iterable[MappedLibrary], known: Iterable[str] = ()
) -> dict[str, list[MappedLibrary]]:
    """Group by distribution the mapped libraries that the disk no longer holds.

    Args:
        site: where they came from.
        pid: of the process that has them mapped.
        libraries: all it has mapped.
        known: top-level names that are loaded.
    """
    found: dict[str, list[MappedLibrary]] = {}
    for library in libraries:
        path = site.restore(library.path, known)
        if path is None or not is_replaced(pid, library, path):
            continue
        found.setdefault(_owner_of(site, library, path), []).append(library)
    return found


def _owner_of(site: Site, library: MappedLibrary, path: Path) -> str:
    seen = site.find_seen_library(library.device, library.inode)
    if seen is not None:
        return seen[0]
    owner = site.owners.find(path)
    if owner is not None:
        return owner.name
    root = site.find_root(str(path))
    top = path.relative_to(root).parts[0] if root else path.name
    return canonicalize_name(top.partition(".")[0])  # numpy.libs goes with numpy


def _gather(
    site: Site,
    modules: list[tuple[LoadedModule, Path]],
    changed: set[str],
    replaced: dict[str, list[MappedLibrary]],
) -> list[LoadedPackage]:
    gone = {module.name for module, path in modules if not path.exists()}
    if not (changed or gone or replaced):
        return []
    grouped: dict[str, list[LoadedModule]] = {}
    for module, path in modules:
        owner = site.owners.find(path)
        if owner is not None:
            grouped.setdefault(owner.name, []).append(module)
        elif module.name in gone:
            grouped.setdefault(canonicalize_name(module.name.partition(".")[0]), []).append(module)
    packages = []
    for name in {*grouped, *replaced}:
        own = grouped.get(name, [])
        suspect = name in changed or name in replaced or any(module.name in gone for module in own)
        differing = tuple(module.name for module in own if suspect and holds_other_code(module))
        libraries = replaced.get(name, [])
        version = choose_version(own)
        if differing or libraries:
            version = version or _seen_version(site, name, libraries)
        packages.append(LoadedPackage(name, version, _names(libraries), differing))
    return sorted(packages, key=lambda package: package.name)


def _seen_version(site: Site, name: str, libraries: list[MappedLibrary]) -> str:
    for library in libraries:
        seen = site.find_seen_library(library.device, library.inode)
        if seen is not None:
            return seen[1]
    first = site.find_seen_version(name)
    distribution = site.find(name)
    return first if distribution is None or first != distribution.version else ""


def _is_suspect(package: LoadedPackage, changed: set[str]) -> bool:
    return bool(package.replaced or package.differing) or package.name in changed


def _diagnose_from_outside(
    site: Site, pid: int, libraries: tuple[MappedLibrary, ...]
) -> tuple[TornPackage, ...]:
    replaced = find_replaced(site, pid, libraries)
    if not replaced:
        return ()
    versions = {name: _seen_version(site, name, own) for name, own in replaced.items()}
    tops = {name: _import_names(site, name) for name, version in versions.items()}
    told = read_remote_versions(pid, {top for names in tops.values() for top in names})
    for name, names in tops.items():
        versions[name] = next((told[top] for top in names if top in told), versions[name])
    loaded = (
        LoadedPackage(name, versions[name], _names(own), pid=pid) for name, own in sorted(replaced.items())
    )
    return _judge(site, loaded)


def _import_names(site: Site, name: str) -> tuple[str, ...]:
    """The names under which a distribution is imported: from its RECORD, else its own."""
    distribution = site.find(name)
    entries = site.read_record(distribution) if distribution else ()
    tops = {entry.path.partition("/")[0] for entry in entries if entry.path.endswith("/__init__.py")}
    return tuple(sorted(tops, key=len)) or (name.replace("-", "_"),)


def _find_used(site: Site, libraries: Iterable[MappedLibrary]) -> set[str]:
    """The distributions that one of `libraries` is known to be of; their every file is looked at."""
    files = {(library.device, library.inode) for library in libraries}
    seen = (site.find_seen_library(device, inode) for device, inode in files)
    return {each[0] for each in seen if each is not None}


def _judge(
    site: Site, loaded: Iterable[LoadedPackage], interpreter: str = "", used: Collection[str] | None = None
) -> tuple[TornPackage, ...]:
    torn = []
    for package in loaded:
        disk = site.examine(package.name, look_at_all=used is None or package.name in used)
        if disk.mismatches and interpreter:
            disk = _try_import(site, package.name, disk, interpreter)
        judged = judge_package(package, disk)
        if judged is not None:
            torn.append(judged)
    return tuple(torn)


def _try_import(site: Site, name: str, disk: DiskPackage, interpreter: str) -> DiskPackage:
    """Import a damaged package in a fresh process, which leaves this one as it is."""
    tops = [top for top in _import_names(site, name) if top.isidentifier()]
    if not tops:
        return disk
    paths = [str(root) for root in site.roots]
    code = f"import sys; sys.path += [p for p in {paths!r} if p not in sys.path]; import {tops[0]}"
    ended = run_child([interpreter, "-P", "-c", code], limit_s=_IMPORT_LIMIT_S)
    if ended.status is None:
        return replace(disk, import_error=f"the import did not finish within {_IMPORT_LIMIT_S} s")
    if ended.status == 0:
        return disk
    lines = [line for line in ended.words.splitlines() if line.strip()]
    return replace(disk, import_error=lines[-1] if lines else f"exit code {ended.status}")


def _open_site(make: Callable[[], Site]) -> tuple[Site, list[str]]:
    """Read the site anew where a dead heal had left something in part; what is to be said about it."""
    site = make()
    settled = settle_if_idle(site.roots)
    return (make() if settled else site), [*settled, *_first_sight_notes(site)]


def _first_sight_notes(site: Site) -> list[str]:
    notes = []
    for root in site.first_seen:
        baseline = site.baselines[root]
        dirty = sorted({*baseline.dirty, *baseline.duplicates})
        if dirty:
            more = f" and {len(dirty) - 5} more" if len(dirty) > 5 else ""
            notes.append(
                f"{root} was checked for the first time; packages that already had changed files are ignored: "
                f"{', '.join(dirty[:5])}{more}"
            )
    return notes


def _start_of(pid: int) -> float | None:
    started = process_started_at(pid)
    return None if started is None else started - _CLOCK_GRAIN_S


def _names(libraries: Iterable[MappedLibrary]) -> tuple[str, ...]:
    return tuple(sorted({library.path.rpartition("/")[2] for library in libraries}))


def _is_python(pid: int, libraries: Iterable[MappedLibrary]) -> bool:
    if any("/libpython" in library.path or "/lib-dynload/" in library.path for library in libraries):
        return True
    try:
        return "python" in Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return False
