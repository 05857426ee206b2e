"""Write a file whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from tierproof.errors import OutputError


def write_text_atomically(path: Path, text: str) -> None:
    """Write `text` (UTF-8) as `write_bytes_atomically` does."""
    write_bytes_atomically(path, text.encode())


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` by a temporary file beside it and a rename.

    Raises:
        OutputError: when the folder is absent or not writable; nothing is left behind.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        os.chmod(temporary, 0o666 & ~_current_umask())  # noqa: PTH101 - a str path, as mkstemp gave it
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108
        if isinstance(error, OSError):
            raise _unwritable(path, error) from error
        raise


def _unwritable(path: Path, error: OSError) -> OutputError:
    reason = error.strerror or error
    if not path.parent.is_dir():
        reason = f"there is no folder {path.parent}"
    return OutputError(
        f"cannot write {path}: {reason}",
        hint="Choose a file in an existing, writable folder with free space.",
    )


def _current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
