"""What IMAGE holds, `here` included."""

from __future__ import annotations

from tierproof.images.package_list import PackageList, read_packages, read_packages_here
from tierproof.images.resolve_image import HERE, resolve_image


def open_packages(text: str, *, python: str = "") -> PackageList:
    """Give the packages of the image that `text` names.

    Args:
        text: `here`, a stored image, or the path of a freeze file.
        python: of a freeze file.

    Raises:
        UsageError: there is none.
    """
    return read_packages_here() if text == HERE else read_packages(resolve_image(text, python=python))
