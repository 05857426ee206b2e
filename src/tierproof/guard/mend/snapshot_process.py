"""Which distributions of its site directories a process has loaded, and keep them in a snapshot."""

from __future__ import annotations

import os

from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.loaded import capture_loaded_modules
from tierproof.guard.capture.mapped import MappedLibrary, read_mapped_libraries, site_roots
from tierproof.guard.capture.record import read_record
from tierproof.guard.mend.site import Site
from tierproof.guard.mend.site_users import find_users
from tierproof.guard.mend.snapshot import MOST_BYTES, MOST_COPIED_BYTES, Snapshot, keep_distributions
from tierproof.guard.system.process import ProcessError


def snapshot_this_process(
    *, most_bytes: int = MOST_BYTES, most_copied_bytes: int = MOST_COPIED_BYTES
) -> Snapshot:
    """Keep what the calling process has loaded for as long as it lives; see `keep_distributions`.

    Packages that are already torn are left out: their loaded files are no longer on disk.
    """
    site = Site.of_this_interpreter()
    found: dict[str, InstalledDistribution] = {}
    for _, path in site.place(capture_loaded_modules()):
        owner = site.owners.find(path)
        if owner is not None:
            found.setdefault(owner.name, owner)
    return keep_distributions(
        found.values(), [os.getpid()], most_bytes=most_bytes, most_copied_bytes=most_copied_bytes
    )


def snapshot_process(pid: int) -> Snapshot:
    """Keep what process `pid` may have loaded for as long as it lives.

    From outside only native libraries are visible. Kept are the distributions they belong to, and every
    distribution without a native library.

    Raises:
        ProcessError: it cannot be inspected, or has mapped no native library of a package.
    """
    if pid == os.getpid():
        return snapshot_this_process()
    libraries = read_mapped_libraries(pid)
    site = Site(site_roots(libraries))
    if not site.roots:
        raise ProcessError(
            f"process {pid} has loaded no native library of a package, so its packages cannot be seen from outside",
            hint="Call `tp.snapshot()` inside the process.",
        )
    return keep_distributions(find_perhaps_loaded(site, libraries), [pid])


def snapshot_environment() -> Snapshot:
    """Keep what this user's live Python processes of this environment may have loaded, while one of them lives."""
    site = Site.of_this_interpreter()
    holders = find_users(site)
    mapped = [library for libraries in holders.values() for library in libraries]
    loaded = find_perhaps_loaded(site, mapped) if holders else ()
    return keep_distributions(loaded, list(holders))


def find_perhaps_loaded(
    site: Site, libraries: list[MappedLibrary] | tuple[MappedLibrary, ...]
) -> tuple[InstalledDistribution, ...]:
    """The distributions that own one of `libraries`, and those without any native library."""
    mapped = {library.path for library in libraries}
    found: dict[str, InstalledDistribution] = {}
    for each in site.distributions:
        native = [
            f"{each.root}/{entry.path}"
            for entry in read_record(each.metadata_path)
            if ".so" in entry.path or entry.path.endswith(".pyd")
        ]
        if not native or not mapped.isdisjoint(native):
            found.setdefault(each.name, each)
    return tuple(found.values())
