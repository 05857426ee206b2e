"""Which Python an image has: as the user says, or as the wheels in its list say; the two must agree."""

from __future__ import annotations

import re

from tierproof.errors import UsageError
from tierproof.images.lists.freeze_file import FreezeFile, find_python

_VERSION = re.compile(r"3\.\d{1,2}(\.\d{1,3})?\Z")


def choose_python(given: str, file: FreezeFile, source: str) -> str:
    """Return the Python version that was given, else the one named by the list's wheels, else an empty text.

    Args:
        given: such as `3.12` or `3.12.12`; empty if none was given.
        file: the list.
        source: what the list is called in an error.

    Raises:
        UsageError: it is not a Python 3 version, or the list's wheels are for another one.
    """
    if given and not _VERSION.match(given):
        raise UsageError(
            f"the Python version {given!r} is not supported: it must have the form 3.x or 3.x.y",
            hint="Pass a version such as 3.12 or 3.12.12.",
        )
    told = find_python(file)
    if given and told and given.split(".")[:2] != told.split("."):
        raise UsageError(
            f"{source} contains wheels for Python {told}, but {given} was given",
            hint=f"Pass `--python {told}`, or leave the option out.",
        )
    return given or told
