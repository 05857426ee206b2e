"""A cheap stamp of what is loaded: has any file changed that a loaded module came from?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tierproof.guard.capture.module_namespace import iterate_modules, read_file
from tierproof.guard.system.search_path import read_search_path

Stamp = Mapping[str, tuple[int, int, int] | None]


class LoadedStamp:
    """Compares the files of the loaded modules with what they were when last looked at.

    Only files in site directories count: one's own modules are edited while a notebook runs.
    """

    def __init__(self) -> None:
        self._paths: tuple[str, ...] = ()
        self._roots: tuple[str, ...] = ()
        self._seen: dict[str, tuple[int, int, int] | None] = {}

    def find_changed(self) -> tuple[str, ...]:
        """Give the files that changed or vanished since the last call, and take note of all that are loaded."""
        now = self._take()
        changed = tuple(file for file, status in now.items() if self._seen.get(file, status) != status)
        # A file that was gone when first looked at had been replaced before.
        changed += tuple(file for file, status in now.items() if status is None and file not in self._seen)
        self._seen = now
        return changed

    def _take(self) -> dict[str, tuple[int, int, int] | None]:
        roots = self._find_roots()
        found: dict[str, tuple[int, int, int] | None] = {}
        for _, _, namespace in iterate_modules():
            file = read_file(namespace)
            if file.startswith(roots) and file not in found:
                found[file] = _look_at(file)
        return found

    def _find_roots(self) -> tuple[str, ...]:
        paths = tuple(read_search_path())
        if paths != self._paths:
            self._paths = paths
            self._roots = tuple(
                f"{path.rstrip(os.sep)}{os.sep}" for path in paths if _holds_distributions(path)
            )
        return self._roots


def _holds_distributions(path: str) -> bool:
    try:
        return any(entry.name.endswith((".dist-info", ".egg-info")) for entry in Path(path or ".").iterdir())
    except OSError:
        return False


def _look_at(file: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - thousands of them after every cell
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
