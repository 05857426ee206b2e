"""Gathers what a process has loaded of each distribution: modules, mapped libraries, and the version."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from packaging.utils import canonicalize_name

from tierproof.guard.capture.broken_bounds import list_required_names
from tierproof.guard.capture.disk_history import HISTORY
from tierproof.guard.capture.loaded import (
    capture_loaded_modules,
    find_own_modules,
    holds_other_code,
)
from tierproof.guard.capture.mapped import MappedLibrary, is_replaced, read_mapped_libraries
from tierproof.guard.capture.remote_version import read_remote_versions
from tierproof.guard.capture.start_hooks import find_start_hooks
from tierproof.guard.mend.judge_tear import agree
from tierproof.guard.mend.loaded_version import (
    LoadedVersion,
    Placed,
    choose_seen_version,
    find_root_of,
    tell_version,
)
from tierproof.guard.mend.site import Site
from tierproof.guard.mend.torn import LoadedPackage
from tierproof.guard.system.process import has_maps, process_started_at

# A file's time and a process's come from clocks of different grain.
_CLOCK_GRAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class LoadedFacts:
    """What a process has loaded, as far as something of it may be torn.

    Attributes:
        packages: those that may be torn, by name.
        modules: every loaded module of each distribution; empty where nothing can be torn.
        changed: distributions that were installed since the process started.
    """

    packages: tuple[LoadedPackage, ...] = ()
    modules: Mapping[str, tuple[Placed, ...]] = field(default_factory=dict)
    changed: frozenset[str] = frozenset()

    def list_imports(self, site: Site, name: str) -> tuple[str, ...]:
        """The modules that a fresh process must import to have what this one has of a distribution."""
        placed = self.modules.get(name, ())
        distribution = site.find(name)
        root = distribution.root if distribution else find_root_of(site, placed)
        own = [module.name for module in find_own_modules(placed, root)] if root else []
        held = {module.name for module, _ in placed} & _list_held_modules()
        return tuple(dict.fromkeys([*own, *sorted(held)])) or list_import_names(site, name)

    def list_dependents(self, site: Site, name: str) -> tuple[str, ...]:
        """The loaded distributions that require `name`, themselves or through others."""
        found, queue = dict[str, None](), [name]
        requires = {
            each: list_required_names(distribution)
            for each in self.modules
            if (distribution := site.find(each)) is not None
        }
        while queue:
            required = queue.pop()
            more = [each for each, names in requires.items() if required in names and each not in found]
            found |= dict.fromkeys(more)
            queue += more
        found.pop(name, None)
        return tuple(found)


def gather_here(site: Site) -> LoadedFacts:
    """Gather what the calling process has loaded from `site`. Nothing is imported."""
    hooks = find_start_hooks(map(str, site.roots))
    modules = [
        (module, path)
        for module, path in site.place(capture_loaded_modules())
        if module.name.partition(".")[0] not in hooks
    ]
    mapped = _MappedByOwner()
    if has_maps():
        tops = {module.name.partition(".")[0] for module, _ in modules}
        mapped = _part_libraries(site, os.getpid(), read_mapped_libraries(os.getpid()), tops)
    changed = frozenset(each.name for each in site.find_changed_since(_start_of(os.getpid())))
    gone = {module.name for module, path in modules if not path.exists()}
    if not (changed or gone or mapped.replaced):
        return LoadedFacts(changed=changed)
    grouped: dict[str, list[Placed]] = {}
    for module, path in modules:
        owner = site.owners.find(path)
        if owner is not None:
            grouped.setdefault(owner.name, []).append((module, path))
        elif module.name in gone:
            grouped.setdefault(_name_former_owner(site, path), []).append((module, path))
    suspects = {*changed, *mapped.replaced, *site.owners.find_overlapped(changed)}
    packages = []
    for name in sorted({*grouped, *mapped.replaced}):
        own = grouped.get(name, [])
        suspect = name in suspects or any(module.name in gone for module, _ in own)
        differing = tuple(module.name for module, _ in own if suspect and holds_other_code(module))
        libraries = mapped.replaced.get(name, [])
        told = LoadedVersion()
        if differing or libraries:
            told = tell_version(site, name, own, differing, libraries, is_changed=name in changed)
            HISTORY.note_loaded(name, told.version if told.is_exact else "")
            present = site.find(name)
            if present is not None and present.version != told.version:
                HISTORY.note_not_loaded(name, present.version)
        packages.append(_make(site, name, told, differing, mapped, name in changed))
    wanted = (each for each in packages if each.replaced or each.differing or each.name in changed)
    return LoadedFacts(tuple(wanted), {name: tuple(each) for name, each in grouped.items()}, changed)


def gather_from_outside(
    site: Site, pid: int, libraries: Iterable[MappedLibrary]
) -> tuple[LoadedPackage, ...]:
    """Gather what another process has loaded and the disk no longer holds, by its mapped libraries."""
    mapped = _part_libraries(site, pid, libraries)
    if not mapped.replaced:
        return ()
    tops = {name: list_import_names(site, name) for name in mapped.replaced}
    told = read_remote_versions(pid, {top for names in tops.values() for top in names})
    start = _start_of(pid)
    changed = {each.name for each in site.find_changed_since(start)} if start else set[str]()
    packages = []
    for name, own in sorted(mapped.replaced.items()):
        said = next((told[top] for top in tops[name] if top in told), "")
        version = choose_seen_version(site, name, said, own)
        packages.append(_make(site, name, version, (), mapped, name in changed, pid))
    return tuple(packages)


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


def list_import_names(site: Site, name: str) -> tuple[str, ...]:
    """The names under which a distribution is imported: from its RECORD, else its own."""
    distribution = site.find(name)
    entries = site.read_record(distribution) if distribution else ()
    tops = {entry.path.partition("/")[0] for entry in entries if entry.path.endswith("/__init__.py")}
    return tuple(sorted(tops, key=len)) or (name.replace("-", "_"),)


@dataclass(slots=True)
class _MappedByOwner:
    """Mapped libraries by distribution: those that the disk no longer holds, and those whose very file it holds."""

    replaced: dict[str, list[MappedLibrary]] = field(default_factory=dict)
    present: dict[str, list[MappedLibrary]] = field(default_factory=dict)


def _part_libraries(
    site: Site, pid: int, libraries: Iterable[MappedLibrary], known: Iterable[str] = ()
) -> _MappedByOwner:
    libraries, known = tuple(libraries), tuple(known)
    replaced = find_replaced(site, pid, libraries, known)
    parted = _MappedByOwner(replaced)
    gone = {(each.path, each.inode) for own in replaced.values() for each in own}
    for library in libraries if replaced else ():
        path = site.restore(library.path, known)
        if path is None or (library.path, library.inode) in gone:
            continue
        try:
            status = path.stat()
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == (library.device, library.inode):
            parted.present.setdefault(_owner_of(site, library, path), []).append(library)
    return parted


def _make(
    site: Site,
    name: str,
    told: LoadedVersion,
    differing: tuple[str, ...],
    mapped: _MappedByOwner,
    is_changed: bool,
    pid: int = 0,
) -> LoadedPackage:
    distribution = site.find(name)
    disk = distribution.version if distribution else ""
    replaced = mapped.replaced.get(name, [])
    # What came with the install and is mapped was loaded after it; a heal puts the loaded version's own back.
    is_late = bool(replaced) and is_changed and bool(told.version) and not agree(told.version, disk)
    late = _names(mapped.present.get(name, ())) if is_late else ()
    return LoadedPackage(
        name,
        told.version,
        told.is_exact,
        _names(replaced),
        differing,
        (*told.late, *late),
        "" if pid else HISTORY.find_failed_heal(name, told.version, disk),
        pid,
    )


def _name_former_owner(site: Site, path: Path) -> str:
    """The distribution that had a file which is gone with it, by what lay there at first sight; else its folder."""
    root = site.find_root(str(path))
    top = path.relative_to(root).parts[0] if root else path.name
    known = site.first_sights[root].find_owner_of_top(top) if root in site.first_sights else ""
    return known or canonicalize_name(top.partition(".")[0])


def _list_held_modules() -> frozenset[str]:
    """The names of the modules that the user's own namespace holds."""
    main = sys.modules.get("__main__")
    values = list(vars(main).values()) if isinstance(main, ModuleType) else []
    names = (vars(value).get("__name__") for value in values if issubclass(type(value), ModuleType))
    return frozenset(name for name in names if isinstance(name, str))


def _start_of(pid: int) -> float | None:
    started = process_started_at(pid)
    return None if started is None else started - _CLOCK_GRAIN_S


def _names(libraries: Iterable[MappedLibrary]) -> tuple[str, ...]:
    return tuple(sorted({library.path.rpartition("/")[2] for library in libraries}))
