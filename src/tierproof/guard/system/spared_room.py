"""Notice that something fills a disk, before it is full: a small archive can hold a file without end."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

_SPARED_BYTES = 1 << 30


class SparedRoom:
    """How much room must stay on the disks of some folders: a gigabyte, or half of what is free where that is less."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._spared: dict[Path, int] = {}
        for folder in folders:
            existing = next((each for each in (folder, *folder.parents) if os.path.isdir(each)), None)  # noqa: PTH112
            if existing is not None:
                with contextlib.suppress(OSError):
                    self._spared[existing] = min(_SPARED_BYTES, shutil.disk_usage(existing).free // 2)

    def find_short(self) -> Path | None:
        """Return a folder on whose disk less is left, or None."""
        for folder, spared in self._spared.items():
            with contextlib.suppress(OSError):
                if shutil.disk_usage(folder).free < spared:
                    return folder
        return None
