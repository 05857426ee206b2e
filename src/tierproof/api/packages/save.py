"""`tierproof.save`: write the added packages to a folder, for `recover`."""

from __future__ import annotations

from pathlib import Path

from tierproof.guard.operations.save import Saved, save_generation


def save(folder: str | Path) -> Saved:
    """Write the lock (`pylock.toml`) and the archive of the added packages to a folder, which may be on a drive.

    Raises:
        UsageError: nothing was added.
        InstallError: an added package is damaged.
        OutputError: the folder is not writable.
    """
    return save_generation(Path(folder))
