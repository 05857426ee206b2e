"""A freeze list of the user's own becomes a stored image."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from tierproof.errors import UsageError
from tierproof.images.freeze_file import find_python
from tierproof.images.image_index import Image
from tierproof.images.image_store import check_list, find_stored_image, store_image
from tierproof.images.package_list import PackageList, read_packages
from tierproof.images.resolve_image import HERE, check_platform, check_python


def add_image(
    file: Path,
    name: str,
    *,
    python: str = "",
    hardware: str = "cpu",
    platform: str = "",
    folder: Path | None = None,
    replace: bool = False,
) -> PackageList:
    """Store a list and give what it holds.

    Args:
        file: what `pip freeze` printed.
        name: of the image.
        python: its version; empty where the list tells it.
        hardware: `cpu`, `gpu` or `tpu`.
        platform: `linux-x86_64`, or as uv names it; an unknown one counts as an old Linux.
        folder: of the store.
        replace: take the place of an image of the same name.

    Raises:
        UsageError: the list is none, nobody tells its Python, or there is such an image.
        OutputError: the store cannot be written.
    """
    if name == HERE:
        raise UsageError("`here` always means this interpreter", hint="Give the image another name.")
    if file.is_dir():
        raise UsageError(f"{file} is a folder; an image is a file that `pip freeze` wrote")
    text = Image(name, hardware, file, python).read_text()
    told = check_python(python) or find_python(check_list(text, str(file)))
    if not told:
        raise UsageError(
            f"nobody tells which Python {file} is of", hint="Give it, for instance --python 3.12"
        )
    entry = {
        "image": name,
        "hardware": hardware,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "python": told,
        "platform": check_platform(platform),
    }
    store_image(entry, text, folder, replace=replace)
    return read_packages(find_stored_image(f"{name}-{hardware}", folder))
