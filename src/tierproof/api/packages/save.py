"""`tierproof.save`: write what was added to a folder, for `recover`."""

from __future__ import annotations

from pathlib import Path

from tierproof.guard.operations.save import Saved, save_generation


def save(folder: str | Path) -> Saved:
    """Write the lock (`pylock.toml`) and the archive of what was added, to a folder that may lie on a drive.

    Raises:
        UsageError: nothing was added.
        InstallError: what was added is damaged.
        OutputError: the folder cannot be written.
    """
    return save_generation(Path(folder))
