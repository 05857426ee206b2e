"""Add a freeze list to the user's images."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.core.plain_text import clean_text
from tierproof.errors import UsageError
from tierproof.images.lists.freeze_file import SkippedLine
from tierproof.images.lists.here_image import capture_here, format_list
from tierproof.images.lists.image_contents import read_list_file
from tierproof.images.lists.image_index import HERE, Image
from tierproof.images.lists.image_name import check_hardware, check_image_name
from tierproof.images.lists.platform_name import parse_platform
from tierproof.images.lists.python_version import choose_python
from tierproof.images.lists.verify_list import VerifiedList, verify_list
from tierproof.images.store.image_store import store_image

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class AddedImage:
    """What was added.

    Attributes:
        image: as it is stored.
        skipped: lines of the list that name no package, or repeat one.
        notes: oddities of the list.
    """

    image: Image
    skipped: tuple[SkippedLine, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `images add --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "image": self.image.label,
            "hardware": self.image.hardware,
            "python": self.image.python,
            "platform": self.image.platform,
            "packages": self.image.packages,
            "file": str(self.image.path),
            "skipped": [
                {"line": each.line, "text": each.text, "reason": each.reason} for each in self.skipped
            ],
            "notes": list(self.notes),
        }

    def describe(self) -> str:
        """Give it as one plain line."""
        image = self.image
        return f"Added {image.label}: {image.packages} packages, Python {image.python}, {image.platform}"

    def describe_skipped(self) -> tuple[str, ...]:
        """Give a line for each line of the list that was skipped, and for each note."""
        skipped = [f"skipped line {each.line}: {each.reason}: {each.text}" for each in self.skipped]
        return (*skipped, *(f"note: {note}" for note in self.notes))

    def __str__(self) -> str:
        return clean_text("\n".join([self.describe(), *self.describe_skipped()]))

    def _repr_html_(self) -> str:
        return show_plainly(str(self))


def add_image(
    path: Path,
    *,
    name: str,
    python: str = "",
    hardware: str = "cpu",
    platform: str = "",
    replace: bool = False,
    folder: Path | None = None,
) -> AddedImage:
    """Copy a freeze list into the folder of images.

    Args:
        path: of the list; `here` means the packages of this interpreter.
        name: by which the image is found afterwards.
        python: such as `3.12`; may be left out if the list's wheels name it.
        hardware: `cpu`, `gpu` or `tpu`.
        platform: such as `linux-x86_64`, which is the default.
        replace: replace the image of this name and hardware.
        folder: the user's folder of images by default.

    Raises:
        UsageError: the name or the list is not valid, its Python is unknown, or the name is taken.
        OutputError: the folder cannot be written to.
        EnvironmentBusyError: another process keeps writing there.
    """
    check_image_name(name)
    check_hardware(hardware)
    told = parse_platform(platform)
    os_name = ""
    if str(path) == HERE:
        here = capture_here()
        verified = VerifiedList(format_list(here.file), here.file)
        python = python or here.image.python
        os_name, told = here.image.os, told or here.image.given_platform
    else:
        verified = verify_list(read_list_file(path), source=str(path))
        python = choose_python(python, verified.file, str(path))
    if not python:
        raise UsageError(
            f"cannot tell which Python version {path} is for",
            hint="Pass its Python version, as in `--python 3.12`.",
        )
    today = datetime.now(UTC).date().isoformat()
    image = Image(name, hardware, Path(), python, os_name, today, given_platform=told, added=True)
    kept = store_image(image, verified, folder, replace_other=replace)
    return AddedImage(kept, verified.file.skipped, verified.notes)
