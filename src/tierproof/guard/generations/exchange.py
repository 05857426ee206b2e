"""Let two folders change places in one step, where the system can."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

# Of <fcntl.h> and <linux/fs.h>.
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def exchange(first: Path, second: Path) -> bool:
    """Exchange two paths of one file system at once; False if the system or the file system cannot.

    Linux with glibc 2.28 or later can (renameat2(2)); a kill leaves both as they were, or both exchanged.
    """
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    done = rename(
        _AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), ctypes.c_uint(_RENAME_EXCHANGE)
    )
    return bool(done == 0)
