"""Which distribution a file belongs to, also a file that an installer has moved away or deleted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path, PurePosixPath

from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.record import RecordEntry, read_own_record

# What pip puts in place of a name's first letters when it moves a folder aside before it deletes it.
_STASH = re.compile(r"~[-~.=%0-9]*")


class Owners:
    """The files and folders of distributions, by RECORD; each RECORD is read once.

    Args:
        distributions: those that may own anything; where two name one file, the first of them owns it.
        read: gives a distribution's RECORD.
    """

    def __init__(
        self,
        distributions: Iterable[InstalledDistribution],
        read: Callable[[InstalledDistribution], tuple[RecordEntry, ...]] = read_own_record,
    ) -> None:
        self._files: dict[str, InstalledDistribution] = {}
        self._folders: dict[str, InstalledDistribution] = {}
        self._later: dict[str, list[InstalledDistribution]] = {}
        for distribution in distributions:
            root = str(distribution.root)
            for entry in read(distribution):
                if entry.path.startswith(("..", "/")):
                    continue
                path = f"{root}/{entry.path}"
                first = self._files.setdefault(path, distribution)
                if first.name != distribution.name:
                    self._later.setdefault(path, []).append(distribution)
                folder = path.rpartition("/")[0]
                while folder != root and folder not in self._folders:
                    self._folders[folder] = distribution
                    folder = folder.rpartition("/")[0]

    def find(self, path: Path) -> InstalledDistribution | None:
        """The owner of `path`; of a file in no RECORD, the owner of the nearest folder above it."""
        found = self._files.get(str(path))
        if found is not None:
            return found
        for folder in path.parents:
            if str(folder) in self._folders:
                return self._folders[str(folder)]
        return None

    def find_all(self, path: Path) -> tuple[InstalledDistribution, ...]:
        """Every distribution whose RECORD names `path`, in their order."""
        first = self._files.get(str(path))
        return () if first is None else (first, *self._later.get(str(path), ()))

    def find_overlapped(self, names: Collection[str]) -> frozenset[str]:
        """The distributions that share a file with one of `names` and are none of them."""
        found = set()
        for path, later in self._later.items():
            owners = {self._files[path].name, *(each.name for each in later)}
            if not owners.isdisjoint(names):
                found |= owners
        return frozenset(found.difference(names))

    def find_by_file_name(self, name: str) -> Path | None:
        """The one recorded file of that name; None when there is none or more than one."""
        found = [path for path in self._files if path.rpartition("/")[2] == name]
        return Path(found[0]) if len(found) == 1 else None


def undo_stash(path: Path, root: Path, names: Iterable[str]) -> Path:
    """Return the path that a file had before pip moved its folder aside (`~umpy/core.so` was `numpy/core.so`).

    Args:
        path: as the kernel shows it now.
        root: the site directory above it.
        names: top-level names known on disk or in memory; the stash keeps the length and the end of one.
    """
    try:
        relative = PurePosixPath(path.relative_to(root))
    except ValueError:
        return path
    parts = list(relative.parts)
    for at, part in enumerate(parts[:-1]):
        stash = _STASH.match(part)
        if stash is None:
            continue
        known = names if at == 0 else _names_in(root.joinpath(*parts[:at]))
        for name in known:
            if len(name) == len(part) and name.endswith(part[stash.end() :]) and not name.startswith("~"):
                parts[at] = name
                break
    return root.joinpath(*parts)


def find_stashes(root: Path, names: Iterable[str], entries: Iterable[str] | None = None) -> tuple[str, ...]:
    """Folders that pip moved aside for `names` and never deleted: the trace of an install that was cut off.

    Args:
        root: the site directory.
        names: top-level names of a distribution.
        entries: what `list_stashes` gave for `root`; listed anew by default.
    """
    names, found = tuple(names), []
    for entry in list_stashes(root) if entries is None else entries:
        stash = _STASH.match(entry)
        rest = entry[stash.end() :] if stash else ""
        if rest and any(len(name) == len(entry) and name.endswith(rest) for name in names):
            found.append(entry)
    return tuple(sorted(found))


def list_stashes(root: Path) -> tuple[str, ...]:
    """List the names in `root` that can be folders that pip moved aside, of any distribution."""
    return tuple(entry for entry in _names_in(root) if entry.startswith("~"))


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names alone
    except OSError:
        return []
