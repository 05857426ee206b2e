"""The time stamps of a distribution's metadata: when it was put there, and whether it is still what was read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class MetadataStamp:
    """The time stamps of a metadata folder and of METADATA in it.

    Attributes:
        changed_at: the newest inode change of the two, in seconds since the epoch; 0 where neither is there.
        marks: differs whenever the metadata differs; empty without METADATA (an egg-info).
    """

    changed_at: float
    marks: tuple[int, ...] = ()


def stamp_metadata(path: Path) -> MetadataStamp:
    """Look at the metadata of a distribution, its `.dist-info` or `.egg-info`."""
    changed_at = 0.0
    try:
        folder = os.stat(path)  # noqa: PTH116 - twice for each of hundreds, here and below
        changed_at = folder.st_ctime
        file = os.stat(f"{path}/METADATA")  # noqa: PTH116
    except OSError:
        return MetadataStamp(changed_at)
    marks = (folder.st_mtime_ns, file.st_mtime_ns, file.st_ctime_ns, file.st_size)
    return MetadataStamp(max(changed_at, file.st_ctime), marks)
