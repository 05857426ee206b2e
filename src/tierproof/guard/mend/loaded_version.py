"""The version of a distribution that a process has loaded, and what it has loaded of a later one.

The version is the metadata's, as it was on disk when the process loaded it: a `__version__` only chooses among
the versions that were seen there, and stands alone where none was. A module that was first imported after an
install tells nothing about what was loaded before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tierproof.guard.capture.disk_history import HISTORY
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.loaded import LoadedModule, choose_version, find_own_modules
from tierproof.guard.capture.mapped import MappedLibrary
from tierproof.guard.mend.judge_tear import agree
from tierproof.guard.mend.site import Site

Placed = tuple[LoadedModule, Path]


@dataclass(frozen=True, slots=True)
class LoadedVersion:
    """Which version is loaded.

    Attributes:
        version: empty if unknown.
        is_exact: it was seen on disk; else it is a `__version__`, which may be shorter.
        late: modules of the version on disk that were imported beside those of another.
    """

    version: str = ""
    is_exact: bool = False
    late: tuple[str, ...] = ()


def tell_version(
    site: Site,
    name: str,
    placed: Sequence[Placed],
    differing: Sequence[str],
    libraries: Sequence[MappedLibrary],
    *,
    is_changed: bool,
) -> LoadedVersion:
    """Tell the version of which the calling process has loaded something that the disk no longer holds.

    Args:
        site: where it lies.
        name: of the distribution.
        placed: its loaded modules.
        differing: those of them whose code differs from the disk.
        libraries: of it, mapped and no longer on disk.
        is_changed: it was installed since this process started.
    """
    distribution = site.find(name)
    root = distribution.root if distribution else find_root_of(site, placed)
    own = find_own_modules(placed, root) if root else ()
    if not is_changed and distribution is not None:  # its metadata lay there when this process started
        return LoadedVersion(HISTORY.find_loaded(name) or distribution.version, is_exact=True)
    disk = distribution.version if distribution else ""
    alike = tuple(each for each in own if each.name not in differing and each.version == disk != "")
    if noted := HISTORY.find_loaded(name):
        found = LoadedVersion(noted, is_exact=True)
    elif distribution is not None and _is_ruled_out(site, distribution, placed, differing, libraries):
        told = choose_version(each for each in own if each not in alike)
        history = HISTORY.find_versions(name)
        found = choose_seen_version(site, name, told, libraries, history, ruled_out=disk)
    else:
        told = choose_version(own)
        found = choose_seen_version(site, name, told, libraries, HISTORY.find_versions(name))
    if agree(found.version, disk):
        return found
    return LoadedVersion(found.version, found.is_exact, tuple(each.name for each in alike))


def choose_seen_version(
    site: Site,
    name: str,
    told: str,
    libraries: Iterable[MappedLibrary],
    history: Sequence[str] = (),
    ruled_out: str = "",
) -> LoadedVersion:
    """Choose the loaded version; it is exact where it was seen on disk.

    Args:
        site: where it lies.
        name: of the distribution.
        told: its `__version__`; empty if it has none.
        libraries: of it, mapped and no longer on disk.
        history: the versions that the process has seen on disk, the first one first.
        ruled_out: the version on disk, where the loaded one is known to be another.
    """
    distribution = site.find(name)
    disk = distribution.version if distribution else ""
    mapped = [site.find_seen_library(each.device, each.inode) for each in libraries]
    by_library = [seen[1] for seen in mapped if seen is not None and seen[0] == name]
    seen_before = site.find_seen_versions(name)
    listed = [*by_library, *reversed(history), *reversed(seen_before), disk]
    known = [version for version in listed if version and version != ruled_out]
    # Exactly told first: `1.0` may be short for 1.0.1, and is 1.0 where that was there too.
    for version in (*(each for each in known if each == told), *known):
        if told and agree(told, version):
            return LoadedVersion(version, is_exact=True)
    earlier = [version for version in known if version != disk and HISTORY.may_be_loaded(name, version)]
    if told and not earlier:
        return LoadedVersion() if ruled_out and agree(told, ruled_out) else LoadedVersion(told)
    return LoadedVersion(earlier[0], is_exact=True) if earlier else LoadedVersion()


def find_root_of(site: Site, placed: Iterable[Placed]) -> Path | None:
    """The site directory that the first of these modules lies in."""
    return next((root for _, path in placed if (root := site.find_root(str(path)))), None)


def _is_ruled_out(
    site: Site,
    distribution: InstalledDistribution,
    placed: Iterable[Placed],
    differing: Sequence[str],
    libraries: Iterable[MappedLibrary],
) -> bool:
    """Tell whether the version on disk is surely not the one that was loaded before the last install.

    It came while the process ran, and the process has code that differs from a file which is as that version
    brought it: not a version whose file was edited afterwards.
    """
    if HISTORY.was_there_before(distribution.name, distribution.version):
        return False
    paths = [path for module, path in placed if module.name in differing]
    paths += [path for each in libraries if (path := site.restore(each.path)) is not None]
    return any(site.holds_as_recorded(distribution, path) for path in paths)
