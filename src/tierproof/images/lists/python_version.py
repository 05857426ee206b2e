"""Which Python an image has: as it was given, as its list tells, and whether the two agree."""

from __future__ import annotations

import re

from tierproof.errors import UsageError
from tierproof.images.lists.freeze_file import FreezeFile, find_python

_VERSION = re.compile(r"3\.\d{1,2}(\.\d{1,3})?\Z")


def choose_python(given: str, file: FreezeFile, source: str) -> str:
    """Give the Python that was given, else the one that the list's wheels tell, else nothing.

    Args:
        given: such as `3.12` or `3.12.12`; empty where nothing was given.
        file: the list.
        source: what the list is called in an error.

    Raises:
        UsageError: what was given is no version of Python 3, or another one than the list's wheels are for.
    """
    if given and not _VERSION.match(given):
        raise UsageError(f"{given!r} is no version of Python 3", hint="Give it as 3.12 or 3.12.12")
    told = find_python(file)
    if given and told and given.split(".")[:2] != told.split("."):
        raise UsageError(
            f"{source} holds wheels for Python {told}, and {given} was given",
            hint=f"Give --python {told}, or leave it out.",
        )
    return given or told
