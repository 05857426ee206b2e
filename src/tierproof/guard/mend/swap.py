"""Put one distribution's files in the place of another's by renames: all of them, or none.

Several renames are not one atomic step. Which file or folder stands where is therefore told by its identity
on disk, noted beforehand: from any state that a killed process has left, `advance` leads to the new one
and `retreat` to the old one.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path


class ForeignChangeError(Exception):
    """Another process has replaced a file that was about to be moved."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One file or folder that is exchanged as a whole.

    Attributes:
        path: relative to the site directory.
        old: device and inode of the present file; None if there is none.
        new: device and inode of the new file; None if there is none.
    """

    path: str
    old: tuple[int, int] | None
    new: tuple[int, int] | None


def choose_units(paths: Iterable[str], shared: Collection[str]) -> tuple[str, ...]:
    """Return the highest files and folders that hold all of `paths` and nothing of another distribution.

    Args:
        paths: relative, with forward slashes.
        shared: relative folders in which others have files too (`google`, `nvidia`).
    """
    units: dict[str, None] = {}
    for path in paths:
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            unit = "/".join(parts[:depth])
            if unit not in shared:
                units[unit] = None
                break
    # Metadata last: until it names the other version, a swap that was cut off is seen as one.
    return tuple(sorted(units, key=lambda unit: (".dist-info" in unit, unit)))


def note_units(root: Path, stage: Path, paths: Iterable[str]) -> tuple[Unit, ...]:
    """Note what stands in `root` and in `stage` at each of `paths`; what is one and the same is left out."""
    units = (Unit(path, identify(root / path), identify(stage / path)) for path in paths)
    return tuple(unit for unit in units if unit.old != unit.new)


def swap(root: Path, stage: Path, aside: Path, units: Iterable[Unit]) -> None:
    """Move each unit of `root` aside and put that of `stage` in its place.

    All three lie on one file system, so each move is a rename. An error or an interruption undoes every move
    that was made.

    Raises:
        OSError: a rename failed; `root` is as it was.
        ForeignChangeError: another process changes the same files.
    """
    units = tuple(units)
    try:
        advance(root, stage, aside, units)
    except BaseException:
        retreat(root, stage, aside, units)
        raise


def advance(root: Path, stage: Path, aside: Path, units: Iterable[Unit]) -> None:
    """Put every new unit in place, from any state in between."""
    for unit in units:
        here = identify(root / unit.path)
        if here == unit.new and (here is not None or identify(aside / unit.path) == unit.old):
            continue
        if here == unit.old and here is not None:
            _move(root, aside, unit.path)
        elif here is not None or identify(aside / unit.path) != unit.old:
            raise ForeignChangeError(unit.path)
        if unit.new is not None:
            if identify(stage / unit.path) != unit.new:
                raise ForeignChangeError(unit.path)
            _move(stage, root, unit.path)


def retreat(root: Path, stage: Path, aside: Path, units: Iterable[Unit]) -> None:
    """Put every old unit back in place, from any state in between."""
    for unit in reversed(tuple(units)):
        here = identify(root / unit.path)
        if here == unit.old and (here is not None or identify(stage / unit.path) == unit.new):
            continue
        if here == unit.new and here is not None:
            _move(root, stage, unit.path)
        elif here is not None:
            raise ForeignChangeError(unit.path)
        if unit.old is not None:
            if identify(aside / unit.path) != unit.old:
                raise ForeignChangeError(unit.path)
            _move(aside, root, unit.path)


def is_in_place(root: Path, units: Iterable[Unit]) -> bool:
    """Tell whether every new unit is in place, and every unit without a new version is gone."""
    return all(identify(root / unit.path) == unit.new for unit in units)


def is_untouched(root: Path, units: Iterable[Unit]) -> bool:
    """Tell whether everything stands as it did when the units were noted."""
    return all(identify(root / unit.path) == unit.old for unit in units)


def keep_unowned(aside: Path, root: Path, owned: Collection[str]) -> None:
    """Bring back files that belong to no distribution (the user's own) from a folder that was moved aside.

    Args:
        aside: where the units were moved to.
        root: where they came from.
        owned: relative paths that the distribution itself had installed.

    Raises:
        OSError: a folder cannot be read, or a file not be moved; calling it again goes on.
    """
    for path in _list_files(aside):
        relative = path.relative_to(aside)
        is_leftover = path.suffix in (".pyc", ".pyo") or relative.as_posix() in owned
        if is_leftover or ".dist-info" in relative.parts[0] or (root / relative).exists():
            continue
        (root / relative).parent.mkdir(parents=True, exist_ok=True)
        path.rename(root / relative)


def _list_files(folder: Path) -> list[Path]:
    """List every file below a folder, and every link; a folder that cannot be read is an error, not empty."""

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    found = []
    for place, folders, names in os.walk(folder, onerror=fail):
        links = [name for name in folders if os.path.islink(os.path.join(place, name))]  # noqa: PTH114, PTH118
        found += [Path(place, name) for name in (*names, *links)]
    return sorted(found)


def identify(path: Path) -> tuple[int, int] | None:
    """Device and inode of what stands at `path`, a link itself and not what it leads to; None for nothing."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino


def _move(source: Path, target: Path, path: str) -> None:
    (target / path).parent.mkdir(parents=True, exist_ok=True)
    (source / path).rename(target / path)
