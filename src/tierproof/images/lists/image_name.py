"""What an image may be called, and on which hardware it may be."""

from __future__ import annotations

import re

from tierproof.errors import UsageError
from tierproof.images.lists.image_index import HARDWARE, HERE

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,99}\Z")
_MISREAD = (*(f"-{each}" for each in HARDWARE), ":latest", ".txt")


def check_image_name(name: str) -> None:
    """Refuse a name that could not be given on a command line, or that would be read as something else.

    Raises:
        UsageError: it is such a name.
    """
    if not _NAME.match(name):
        raise UsageError(
            f"{name!r} cannot be the name of an image",
            hint="It starts with a letter or digit; then letters, digits and . _ : + - may follow.",
        )
    if name == HERE or name.endswith(_MISREAD):
        raise UsageError(
            f"{name!r} cannot be the name of an image: it would be read as something else",
            hint="`here` is this interpreter, `-gpu` at the end names the hardware (give --hardware gpu), "
            "`:latest` is the newest image, and `.txt` a file.",
        )


def check_hardware(hardware: str) -> None:
    """Refuse hardware that no image is for.

    Raises:
        UsageError: it is none of cpu, gpu and tpu.
    """
    if hardware not in HARDWARE:
        raise UsageError(f"the hardware {hardware!r} is not known", hint=f"Known are {', '.join(HARDWARE)}")
