"""What was read of each distribution, remembered between diagnoses, so that the next one reads what has changed.

Nothing here is trusted beyond the time stamps that it was read under: a stamp that differs has it read anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from tierproof.core.atomic_write import write_text_atomically
from tierproof.errors import OutputError
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.metadata_stamp import MetadataStamp, stamp_metadata
from tierproof.guard.capture.record import RecordEntry
from tierproof.guard.system.environment_folder import find_folder_of_site

_FORMAT_VERSION = 1
_FILE = "remembered.json"
# Time stamps that are younger than this may hide a second change behind the same value.
_SETTLED_S = 2.0
# A file that was rewritten in place, in a folder whose stamp stayed, is found at the latest after this time.
_WHOLE_FOR_S = 86_400.0
# Between the watched paths in the file: one text is read faster than a list, and this needs no escape in JSON.
_SEPARATOR = "|"
# Up to so many files of a distribution are watched one by one; of larger ones the folders and the libraries.
_FEW_FILES = 64


class SiteMemory:
    """What is remembered of one environment.

    Args:
        path: its file; None for a memory that forgets.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows: dict[str, dict[str, Any]] = _load(path)
        self._stamps: dict[str, MetadataStamp] = {}
        self._changed = False

    @classmethod
    def of(cls, roots: Iterable[Path]) -> SiteMemory:
        """The memory of the environment that the first of `roots` belongs to."""
        for root in roots:
            with contextlib.suppress(OutputError):
                return cls(find_folder_of_site(root) / _FILE)
        return cls(None)

    def read(
        self, metadata_path: Path, root: Path, read: Callable[[], InstalledDistribution | None]
    ) -> InstalledDistribution | None:
        """Return the distribution with its metadata at `metadata_path`, by `read` where it is not remembered."""
        key, stamp = str(metadata_path), stamp_metadata(metadata_path)
        self._stamps[key] = stamp
        row, marks = self._rows.get(key), list(stamp.marks)
        if row is not None and marks and row["stamp"] == marks:
            name, version, requires, installer = row["told"]
            return InstalledDistribution(name, version, metadata_path, root, tuple(requires), installer)
        found = read()
        if found is not None and marks:
            told = [found.name, found.version, list(found.requires), found.installer]
            self._rows[key] = {"stamp": marks, "told": told}
            self._changed = True
        return found

    def changed_at(self, distribution: InstalledDistribution) -> float:
        """When its metadata was put there, as of the moment it was read here (seconds since the epoch)."""
        stamp = self._stamps.get(str(distribution.metadata_path))
        return (stamp or stamp_metadata(distribution.metadata_path)).changed_at

    def is_whole(self, distribution: InstalledDistribution) -> bool:
        """Tell whether its files were looked at today and no folder of theirs has changed since.

        Not seen is a file that was rewritten in place, where a distribution has many: that changes no folder.
        """
        whole = self._find_whole(distribution)
        if whole is None or not 0 <= time.time() - whole["at"] < _WHOLE_FOR_S:
            return False
        watched = _split(whole["watched"])
        return bool(_stamp_files(distribution.root, watched) == whole["stamps"])

    def recall_tops(self, distribution: InstalledDistribution) -> tuple[str, ...]:
        """The top-level files and folders of a distribution that is whole."""
        whole = self._find_whole(distribution)
        return tuple({path.partition("/")[0] for path in _split(whole["watched"])}) if whole else ()

    def verified_until(self, distribution: InstalledDistribution) -> float:
        """The moment (seconds since the epoch) up to which its files are known to be as RECORD says; 0 for never."""
        whole = self._find_whole(distribution)
        return float(whole["at"]) - _SETTLED_S if whole and whole["at"] <= time.time() else 0.0

    def note_whole(
        self, distribution: InstalledDistribution, entries: Iterable[RecordEntry], began: float
    ) -> None:
        """Remember that a look at every file, begun at `began`, found nothing that was not known before."""
        row = self._rows.get(str(distribution.metadata_path))
        stamp = _stamp_record(distribution)
        if row is None or not stamp:
            return
        paths = [each.path for each in entries if each.is_checkable and not each.path.startswith(("..", "/"))]
        # In the site directory itself the files: the folder changes with every install.
        watch = {path.rpartition("/")[0] or path for path in paths}
        watch |= set(paths) if len(paths) <= _FEW_FILES else {path for path in paths if _is_native(path)}
        if any(_SEPARATOR in path for path in watch):
            return
        watched = sorted(watch)
        stamps = _stamp_files(distribution.root, watched)
        if stamps is None:  # one was absent at first sight already
            return
        if max(stamps, default=0) / 1e9 > began - _SETTLED_S:
            return
        row["whole"] = {"record": stamp, "at": began, "watched": _SEPARATOR.join(watched), "stamps": stamps}
        self._changed = True

    def save(self, roots: Collection[Path]) -> None:
        """Write what is new, and forget what is gone from `roots`; where that is not allowed nothing is lost."""
        own = tuple(f"{root}/" for root in roots)
        gone = [key for key in self._rows if key.startswith(own) and key not in self._stamps]
        if self._path is None or not (self._changed or gone):
            return
        for key in gone:
            del self._rows[key]
        text = json.dumps({"format_version": _FORMAT_VERSION, "rows": self._rows}, separators=(",", ":"))
        with contextlib.suppress(OutputError):
            write_text_atomically(self._path, text)
        self._changed = False

    def _find_whole(self, distribution: InstalledDistribution) -> dict[str, Any] | None:
        whole = self._rows.get(str(distribution.metadata_path), {}).get("whole")
        return whole if whole and whole["record"] == _stamp_record(distribution) else None


def _is_native(path: str) -> bool:
    return ".so" in path or path.endswith((".pyd", ".dylib"))


def _split(watched: str) -> list[str]:
    return watched.split(_SEPARATOR) if watched else []


def _stamp_files(root: Path, paths: Iterable[str]) -> list[int] | None:
    """When the content of each last changed, in nanoseconds; None if one is absent."""
    folder = f"{root}/"
    try:
        return [os.stat(folder + path).st_mtime_ns for path in paths]  # noqa: PTH116 - ten thousand times
    except OSError:
        return None


def _stamp_record(distribution: InstalledDistribution) -> list[int]:
    try:
        status = os.stat(f"{distribution.metadata_path}/RECORD")  # noqa: PTH116
    except OSError:
        return []
    return [status.st_mtime_ns, status.st_ctime_ns, status.st_size]


def _load(path: Path | None) -> dict[str, dict[str, Any]]:
    """Read the file; what is not as it was written is forgotten."""
    try:
        document = json.loads(path.read_bytes()) if path else {}
        if document.get("format_version") != _FORMAT_VERSION:
            return {}
        rows = document["rows"]
        return {key: row for key, row in rows.items() if _is_sound(row)}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return {}


def _is_sound(row: dict[str, Any]) -> bool:
    name, version, requires, installer = row["told"]
    texts, lists, whole = [name, version, installer], [requires, row["stamp"]], row.get("whole")
    if whole is not None:
        texts.append(whole["watched"])
        lists += [whole["record"], whole["stamps"]]
    return (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(each, list) for each in lists)
        and (whole is None or isinstance(whole["at"], float))
    )
