"""What IMAGE means on the command line: a stored image, or a freeze file."""

from __future__ import annotations

import re
from pathlib import Path

from tierproof.errors import UsageError
from tierproof.guard.wheel_tags import describe_machine
from tierproof.images.freeze_file import find_python
from tierproof.images.image_index import Image
from tierproof.images.image_store import check_list, find_stored_image

HERE = "here"
HARDWARE = ("cpu", "gpu", "tpu")
_PYTHON = re.compile(r"3\.\d{1,2}(\.\d{1,2})?\Z")
_PLATFORMS = {"linux-x86_64": "x86_64-manylinux_2_28", "linux-aarch64": "aarch64-manylinux_2_28"}


def resolve_image(text: str, *, python: str = "", platform: str = "", folder: Path | None = None) -> Image:
    """Give the image that `text` names.

    Args:
        text: `colab:2026.07-gpu`, a name given to `images add`, or the path of a freeze file.
        python: of a freeze file, such as `3.12`.
        platform: of a freeze file, `linux-x86_64` or as uv names it.
        folder: of the stored images.

    Raises:
        UsageError: there is none, or it is no list of packages.
    """
    if text == HERE:
        raise UsageError("`here` is this interpreter, which has no list", hint="`images show here` shows it.")
    path = Path(text).expanduser()
    if not _is_path(text, path):
        return find_stored_image(text, folder)
    if path.is_dir():
        raise UsageError(f"{text} is a folder; an image is a file that `pip freeze` wrote")
    image = Image(path.stem, "cpu", path, check_python(python), given_platform=check_platform(platform))
    file = check_list(image.read_text(), text)
    if not (image.python or find_python(file)):
        raise UsageError(
            f"nobody tells which Python {text} is of", hint="Give it, for instance --python 3.12"
        )
    return image


def check_python(text: str) -> str:
    """Give the version of a Python, or the empty text as it is.

    Raises:
        UsageError: it is none.
    """
    if text and not _PYTHON.match(text):
        raise UsageError(f"{text!r} is no version of a Python", hint="For instance --python 3.12")
    return text


def check_platform(text: str) -> str:
    """Give a platform as uv names it.

    Raises:
        UsageError: it is not known.
    """
    named = _PLATFORMS.get(text, text)
    if named:
        describe_machine(named)
    return named


def _is_path(text: str, path: Path) -> bool:
    return path.suffix == ".txt" or "/" in text or (path.exists() and ":" not in text)
