"""Read a file that somebody else may have put there: never a pipe or a device, and never more than a limit."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

MOST_TEXT_BYTES = 64 << 20
"""Of a lock, a description or a list: what people write is far smaller."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read; a pipe, which would wait for its writer, is refused at once.

    Raises:
        OSError: it cannot be opened, or is not a regular file.
    """
    flags = (
        os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    )
    stream = os.fdopen(os.open(path, flags), "rb")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return stream


def read_bounded(path: Path, most_bytes: int = MOST_TEXT_BYTES) -> bytes:
    """Return a regular file's content.

    Raises:
        OSError: it cannot be read, is not a regular file, or holds more than `most_bytes`.
    """
    with open_regular(path) as stream:
        content = stream.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {most_bytes >> 20} MB", str(path))
    return content
