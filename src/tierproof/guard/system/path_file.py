"""The path file of an environment: where it lies, and what it names, in words that every locale reads.

Python reads it at every start, on 3.11 and 3.12 in the encoding of the locale: one character beyond ASCII, and no
Python of the environment starts under `LC_ALL=C`.
"""

from __future__ import annotations

import os
import site
import sysconfig
from pathlib import Path

from tierproof.errors import TierproofError

PATH_FILE = "tierproof-packages.pth"
_MOST_BYTES = 1 << 16


class PathFileError(TierproofError):
    """The file that names the added packages cannot be read, so it is unknown which are in use."""

    slug = "path-file-unreadable"


class UnspeakablePathError(ValueError):
    """A folder has no name that a path file can hold."""


def list_path_files() -> tuple[Path, ...]:
    """Where this interpreter reads path files from: in the user's site, which comes first on sys.path; in its own."""
    own = Path(sysconfig.get_path("purelib")) / PATH_FILE
    user = [Path(site.getusersitepackages()) / PATH_FILE] if site.ENABLE_USER_SITE else []
    return (*user, own)


def read_named_folders(file: Path) -> tuple[str, ...]:
    """Return the folders that a path file names, absolute, as Python puts them on sys.path; none if absent.

    Raises:
        PathFileError: it is there, and the system cannot read it. What it names must not be taken for unused.
    """
    try:
        with file.open("rb") as stream:
            text = os.fsdecode(stream.read(_MOST_BYTES))
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise PathFileError(
            f"cannot read {file}: {error.strerror or error}",
            hint="Make this file readable: it names the folder of the added packages.",
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    return tuple(os.path.normpath(file.parent / line) for line in lines if line and "\0" not in line)


def spell_folder(folder: Path, file: Path) -> str:
    """Return the line by which `file` names `folder`: its path in ASCII, relative where only that is ASCII.

    Raises:
        UnspeakablePathError: neither is.
    """
    absolute = str(folder)
    if _is_plain(absolute):
        return absolute
    parent = os.path.abspath(file.parent)  # noqa: PTH100 - as Python resolves the line: links as they are
    relative = os.path.join(os.curdir, os.path.relpath(absolute, parent))  # noqa: PTH118
    # Through a link `..` leads elsewhere than Python, which only cuts the text, believes.
    if _is_plain(relative) and os.path.realpath(parent) == parent:
        return relative
    raise UnspeakablePathError(absolute)


def _is_plain(path: str) -> bool:
    return path.isascii() and path.isprintable() and path == path.strip()
