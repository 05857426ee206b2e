"""Keep a file as it is now: by a second name for it, else by a clone, else by a copy."""

from __future__ import annotations

import os
import shutil
import sys
from enum import StrEnum
from pathlib import Path

_FICLONE = 0x40049409  # linux/fs.h


class Kept(StrEnum):
    """How a file was kept, the cheapest first."""

    LINK = "link"
    CLONE = "clone"
    COPY = "copy"


def keep_file(source: Path, target: Path, *, may_link: bool = True, may_copy: bool = True) -> Kept | None:
    """Keep `source` (what a link leads to) as `target`, which does not exist yet; None where only a copy would do.

    Raises:
        OSError: it cannot be read, or `target` cannot be written.
    """
    real = os.path.realpath(source) if os.path.islink(source) else source  # noqa: PTH114
    if may_link:
        try:
            os.link(real, target)
        except FileNotFoundError:
            raise
        except OSError:  # another file system, one without links, or a file of somebody else's
            pass
        else:
            return Kept.LINK
    if clone_file(Path(real), target):
        return Kept.CLONE
    if not may_copy:
        return None
    shutil.copy2(real, target)
    return Kept.COPY


def clone_file(source: Path, target: Path) -> bool:
    """Make `target` share the blocks of `source` until one of them is written; False if that is not possible."""
    if sys.platform != "linux":
        return False
    import fcntl

    with source.open("rb") as reading, target.open("xb") as writing:
        try:
            fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
        except OSError:
            done = False
        else:
            done = True
    if done:
        shutil.copystat(source, target)
    else:
        target.unlink()
    return done
