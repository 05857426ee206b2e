"""Which versions lay on disk while this process ran, and which of them it is known to have loaded.

A module's `__version__` is careless: shorter than the release, another package's, or absent. The name of the
metadata folder is exact, so the folders' names are noted when tierproof is imported, and again whenever a site
directory has changed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from tierproof.guard.capture.vendored_entry import drop_vendored

_CLOCK_GRAIN_S = 0.1  # a file's time and a process's start come from clocks of different grain
_SUFFIXES = (".dist-info", ".egg-info")


class DiskHistory:
    """The versions of each distribution in the order in which they were seen on disk, by one process."""

    def __init__(self) -> None:
        self._stamps: dict[str, int] = {}
        self._versions: dict[str, list[str]] = {}
        self._loaded: dict[str, str] = {}
        self._not_loaded: set[tuple[str, str]] = set()
        self._failed: dict[tuple[str, str, str], str] = {}

    def look(self, paths: Iterable[object] | None = None) -> None:
        """Note the versions in each path entry that has changed since the last look.

        Args:
            paths: entries of a path; `sys.path` by default. What is no text or no folder is left out, and what lies
                inside a package.
        """
        texts = (path for path in (list(sys.path) if paths is None else paths) if isinstance(path, str))
        for path in drop_vendored(texts):
            try:
                stamp = os.stat(path or ".").st_mtime_ns  # noqa: PTH116 - after every cell
                if self._stamps.get(path) == stamp:
                    continue
                names = os.listdir(path or ".")  # noqa: PTH208 - names alone
            except OSError:
                continue
            is_first = path not in self._stamps
            self._stamps[path] = stamp
            for name in names:
                if name.endswith(_SUFFIXES):
                    self._note(name, is_late=is_first and _came_after_the_start(os.path.join(path, name)))  # noqa: PTH118

    def _note(self, folder: str, *, is_late: bool) -> None:
        name, _, version = folder.rpartition(".")[0].partition("-")
        version = version.partition("-py")[0]  # of an egg
        if not version:
            return
        seen = self._versions.setdefault(_normalise(name), [])
        if not seen or seen[-1] != version:
            seen.append(version)
        if is_late:  # what is loaded may have been loaded before it came
            self._not_loaded.add((_normalise(name), version))

    def find_versions(self, name: str) -> tuple[str, ...]:
        """The versions of `name` (normalised) that were on disk, the first one first."""
        return tuple(self._versions.get(name, ()))

    def may_be_loaded(self, name: str, version: str) -> bool:
        """False for a version that came after the loaded one, or that the loaded code was compared with in vain."""
        return (name, version) not in self._not_loaded

    def was_there_before(self, name: str, version: str) -> bool:
        """Tell whether `version`, which is on disk, was seen there before the last install of `name`."""
        seen = self.find_versions(name)
        return version in seen[:-1] or (seen == (version,) and self.may_be_loaded(name, version))

    def note_not_loaded(self, name: str, version: str) -> None:
        """Remember that this process has another version loaded than this one, which is on disk."""
        self._not_loaded.add((name, version))

    def note_loaded(self, name: str, version: str) -> None:
        """Remember the version that this process has loaded; the first one told stays."""
        if version:
            self._loaded.setdefault(name, version)

    def find_loaded(self, name: str) -> str:
        """The version noted as loaded; empty if none was."""
        return self._loaded.get(name, "")

    def note_failed_heal(self, name: str, loaded: str, disk: str, reason: str) -> None:
        """Remember why `name` could not be put back in version `loaded` while the disk held `disk`."""
        self._failed[name, loaded, disk] = reason

    def find_failed_heal(self, name: str, loaded: str, disk: str) -> str:
        """Why that heal failed; empty if it was not tried or did not fail."""
        return self._failed.get((name, loaded, disk), "")

    def forget_failed_heals(self) -> None:
        """Let every heal be tried again."""
        self._failed.clear()


def _came_after_the_start(path: str) -> bool:
    from tierproof.guard.system.process import process_started_at

    started = process_started_at(os.getpid())
    try:
        return started is not None and os.stat(path).st_ctime >= started + _CLOCK_GRAIN_S  # noqa: PTH116
    except OSError:
        return False


def _normalise(name: str) -> str:
    # As PEP 503 says, without its module: this runs when tierproof is imported.
    return "-".join(filter(None, name.lower().replace("_", "-").replace(".", "-").split("-")))


HISTORY = DiskHistory()
