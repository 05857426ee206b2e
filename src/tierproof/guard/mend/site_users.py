"""The live processes of this user that have native libraries of a site directory mapped."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from tierproof.guard.capture.mapped import MappedLibrary, read_mapped_libraries
from tierproof.guard.mend.site import Site, may_be_aside
from tierproof.guard.system.process import ProcessError, find_own_processes

Libraries = tuple[MappedLibrary, ...]


def find_users(site: Site) -> dict[int, Libraries]:
    """Every other process that has a library of `site` mapped, with all the libraries that it has mapped."""
    users = {}
    for pid in find_own_processes():
        try:
            libraries = read_mapped_libraries(pid, below=site.roots)
        except ProcessError:  # it has ended, or does not let itself be looked into
            continue
        if any(site.find_root(library.path) for library in libraries):
            users[pid] = libraries
    return users


def leave_out_present(users: Mapping[int, Libraries]) -> dict[int, Libraries]:
    """Leave out the libraries whose very file lies where it was mapped from; each file is looked at once."""
    present: dict[tuple[str, int, int], bool] = {}

    def keep(libraries: Iterable[MappedLibrary]) -> Iterable[MappedLibrary]:
        for library in libraries:
            key = (library.path, library.device, library.inode)
            if key not in present:
                present[key] = _is_present(*key)
            if not present[key]:
                yield library

    return {pid: tuple(keep(libraries)) for pid, libraries in users.items()}


def _is_present(path: str, device: int, inode: int) -> bool:
    if may_be_aside(path):  # the place that it was mapped from is another one
        return False
    try:
        status = os.stat(path)  # noqa: PTH116 - of everything that every process has mapped
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == (device, inode)
