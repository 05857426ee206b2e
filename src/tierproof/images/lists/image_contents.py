"""An image with what its freeze list says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tierproof.errors import UsageError
from tierproof.images.lists.freeze_file import FreezeFile
from tierproof.images.lists.image_index import Image
from tierproof.images.lists.verify_list import LARGEST_LIST_BYTES, verify_list


@dataclass(frozen=True, slots=True)
class ImageContents:
    """An image and its packages.

    Attributes:
        image: what it is.
        file: what its list says.
        notes: what is odd about the list.
    """

    image: Image
    file: FreezeFile
    notes: tuple[str, ...] = ()


def read_contents(image: Image) -> ImageContents:
    """Read the list of an image, and compare it with what the index promises.

    Raises:
        UsageError: it cannot be read, is not a freeze list, or does not match the index.
    """
    verified = verify_list(
        read_list_file(image.path), source=str(image.path), promised=image.packages, sha256=image.sha256
    )
    return ImageContents(image, verified.file, verified.notes)


def read_list_file(path: Path) -> bytes:
    """Read the bytes of a freeze list, and no more than one byte over the limit.

    Raises:
        UsageError: it does not exist, is a folder, or cannot be read.
    """
    try:
        if path.is_dir():
            raise UsageError(
                f"{path} is a folder, not a file", hint="Pass a file that holds the output of `pip freeze`."
            )
        with path.open("rb") as stream:
            return stream.read(LARGEST_LIST_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"cannot read {path}: {reason or error}",
            hint="Check that this file exists and that you may read it. If `tierproof images sync` stored it, run that "
            "command again to restore it.",
        ) from error
