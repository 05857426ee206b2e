"""Which names and which hardware an image may have."""

from __future__ import annotations

import re

from tierproof.errors import UsageError
from tierproof.images.lists.image_index import HARDWARE, HERE

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,99}\Z")
_MISREAD = (*(f"-{each}" for each in HARDWARE), ":latest", ".txt")


def check_image_name(name: str) -> None:
    """Refuse a name that cannot be given on a command line, or that has another meaning there.

    Raises:
        UsageError: the name is not valid.
    """
    if not _NAME.match(name):
        raise UsageError(
            f"{name!r} is not a valid image name",
            hint="Use at most 100 letters, digits and . _ : + -, and start with a letter or a digit.",
        )
    if name == HERE or name.endswith(_MISREAD):
        raise UsageError(
            f"{name!r} is not a valid image name: it has another meaning",
            hint="Choose another name: `here` means this interpreter, `:latest` the newest image, `.txt` a file, "
            "and the ending -cpu, -gpu or -tpu the hardware (pass --hardware instead).",
        )


def check_hardware(hardware: str) -> None:
    """Refuse unknown hardware.

    Raises:
        UsageError: it is not cpu, gpu or tpu.
    """
    if hardware not in HARDWARE:
        raise UsageError(f"unknown hardware {hardware!r}", hint=f"Use one of: {', '.join(HARDWARE)}.")
