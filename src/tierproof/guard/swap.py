"""Put one distribution's files in the place of another's by renames: all of them, or none."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from pathlib import Path


def choose_units(paths: Iterable[str], shared: Collection[str]) -> tuple[str, ...]:
    """Give the highest files and folders that hold all of `paths` and nothing of another distribution.

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


def swap(root: Path, stage: Path, aside: Path, units: Iterable[str]) -> None:
    """Move each unit of `root` aside and put that of `stage` in its place.

    All three lie on one file system, so each move is a rename. An error or an interruption undoes every move
    that was made.

    Raises:
        OSError: a rename failed; `root` is as it was.
    """
    moves: list[tuple[Path, Path]] = []
    try:
        for unit in units:
            for source, target in ((root / unit, aside / unit), (stage / unit, root / unit)):
                if source.exists() or source.is_symlink():
                    target.parent.mkdir(parents=True, exist_ok=True)
                    moves.append((source, target))
                    source.rename(target)
    except BaseException:
        for source, target in reversed(moves):
            # A move that was noted and not made has left its source where it was.
            if not source.exists():
                with contextlib.suppress(FileNotFoundError):
                    target.rename(source)
        raise


def keep_unowned(aside: Path, root: Path, owned: Collection[str]) -> None:
    """Bring back what lay in a folder that was moved aside and belonged to nobody: files of the user's own.

    Args:
        aside: where the units were moved to.
        root: where they came from.
        owned: relative paths that the distribution itself had installed.
    """
    for path in sorted(aside.rglob("*")):
        relative = path.relative_to(aside)
        is_leftover = path.suffix in (".pyc", ".pyo") or relative.as_posix() in owned
        if path.is_dir() and not path.is_symlink():
            continue
        if is_leftover or ".dist-info" in relative.parts[0] or (root / relative).exists():
            continue
        (root / relative).parent.mkdir(parents=True, exist_ok=True)
        path.rename(root / relative)
