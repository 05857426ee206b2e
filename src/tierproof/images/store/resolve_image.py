"""Find the image that a text names: a stored one, a freeze file, or this interpreter."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from tierproof.errors import UsageError
from tierproof.images.lists.here_image import capture_here
from tierproof.images.lists.image_contents import ImageContents, read_contents
from tierproof.images.lists.image_index import HERE, Image, split_label
from tierproof.images.lists.image_name import check_hardware
from tierproof.images.lists.platform_name import parse_platform
from tierproof.images.lists.python_version import choose_python
from tierproof.images.store.image_store import find_stored_image


def resolve_image(
    text: str, *, python: str = "", hardware: str = "cpu", platform: str = "", folder: Path | None = None
) -> Image:
    """Find the image that `text` names, ready to plan on.

    Args:
        text: `colab:2026.07[-cpu|-gpu|-tpu]`, `colab:latest`, a name given to `images add`, or a path to a
            freeze file.
        python: of a freeze file whose wheels do not name it, and of a stored image whose Python is unknown.
        hardware: of a freeze file, and of a stored image whose name does not end in it.
        platform: of a freeze file, and of a stored image whose system is unknown; such as `linux-x86_64`.
        folder: of images; the user's by default.

    Raises:
        UsageError: there is no such image, its list is not valid, its Python is unknown, or `text` is
            `here`, which has no list.
    """
    if text == HERE:
        raise UsageError(
            "`here` means this interpreter, which is not a stored image",
            hint="Store it as one: `tierproof images add here --name NAME`.",
        )
    image = _find_image(text, python, hardware, platform, folder).image
    if not image.python:
        raise UsageError(
            f"cannot tell which Python version {image.label} uses",
            hint="Pass its Python version, as in `--python 3.12`.",
        )
    return image


def open_image(
    text: str, *, python: str = "", hardware: str = "cpu", platform: str = "", folder: Path | None = None
) -> ImageContents:
    """Find the image that `text` names, as `resolve_image` does, or `here`, and read it.

    Its Python may stay unknown. Nothing is written.

    Raises:
        UsageError: there is no such image, or its list is not valid.
    """
    if text == HERE:
        return capture_here()
    return _find_image(text, python, hardware, platform, folder)


def _find_image(text: str, python: str, hardware: str, platform: str, folder: Path | None) -> ImageContents:
    check_hardware(hardware)
    if not text.strip():
        raise UsageError(
            "no image was given",
            hint=(
                "Name an image such as `colab:2026.07`, a file with the output of `pip freeze`, or `here` "
                "for this interpreter."
            ),
        )
    told = parse_platform(platform)
    path = Path(text).expanduser() if text.startswith("~") else Path(text)
    if _looks_like_path(text):
        return _open_file(Image(text, hardware, path, python, given_platform=told))
    label = text if split_label(text, hardware) == split_label(text) else f"{text}-{hardware}"
    try:
        stored = find_stored_image(label, folder)
    except UsageError:
        if _is_file(path):
            return _open_file(Image(text, hardware, path, python, given_platform=told))
        raise
    contents = read_contents(stored)
    found = replace(
        stored,
        python=stored.python or choose_python(python, contents.file, stored.label),
        given_platform=stored.given_platform or (told if not stored.os else ""),
    )
    return replace(contents, image=found)


def _open_file(image: Image) -> ImageContents:
    contents = read_contents(image)
    python = choose_python(image.python, contents.file, str(image.path))
    versions = {item.name: item.version for item in contents.file.packages}
    return replace(
        contents,
        image=replace(
            image,
            python=python,
            packages=len(versions),
            numpy=versions.get("numpy", ""),
            torch=versions.get("torch", ""),
            transformers=versions.get("transformers", ""),
        ),
    )


def _looks_like_path(text: str) -> bool:
    separators = tuple(each for each in ("/", os.sep, os.altsep) if each)
    return text.startswith(("~", ".")) or text.endswith(".txt") or any(each in text for each in separators)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
