"""The `index.json` of a folder of images: which freeze list is which image on which hardware."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tierproof.errors import UsageError

_NAME = re.compile(r"(?P<image>.+?)(?:-(?P<hardware>cpu|gpu|tpu))?\Z")
# The glibc of an Ubuntu release: it decides which manylinux wheels an image takes.
_GLIBC = {"18.04": "2_27", "20.04": "2_31", "22.04": "2_35", "24.04": "2_39", "26.04": "2_43"}
_OLDEST_GLIBC = "2_28"


@dataclass(frozen=True, slots=True)
class Image:
    """One image: a freeze list and what it was taken on.

    Attributes:
        name: such as `colab:2026.01`.
        hardware: `cpu`, `gpu` or `tpu`.
        path: of its freeze list.
        python: full version, such as `3.12.12`; empty where the index does not tell.
        os: as the image names it, such as `Ubuntu 22.04.5 LTS`.
        date: ISO, or empty.
    """

    name: str
    hardware: str
    path: Path
    python: str
    os: str = ""
    date: str = ""

    @property
    def label(self) -> str:
        """The name by which a plan calls it: `colab:2026.01-gpu`; plain for the CPU."""
        return self.name if self.hardware == "cpu" else f"{self.name}-{self.hardware}"

    def read_text(self) -> str:
        """Read its freeze list.

        Raises:
            UsageError: it cannot be read, or is no text.
        """
        try:
            return self.path.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot read {self.path}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{self.path} is no text: {error.reason}") from error

    @property
    def platform(self) -> str:
        """Its platform as uv names it; an unknown system counts as an old one."""
        release = re.search(r"Ubuntu (\d+\.\d+)", self.os)
        glibc = _GLIBC.get(release[1], _OLDEST_GLIBC) if release else _OLDEST_GLIBC
        return f"x86_64-manylinux_{glibc}"


def read_index(folder: Path) -> tuple[Image, ...]:
    """Read `folder`/index.json.

    Raises:
        UsageError: there is none, or it is none.
    """
    path = folder / "index.json"
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(f"{path} is no JSON: {error}") from error
    if not isinstance(document, list):
        raise UsageError(f"{path} is no index of images: a list is expected")
    return tuple(_read_entry(entry, number, folder) for number, entry in enumerate(document, 1))


def find_image(name: str, folder: Path) -> Image:
    """Find `NAME[-cpu|-gpu|-tpu]` in the index of `folder`; without hardware, the CPU's.

    Raises:
        UsageError: the index cannot be read, or has no such image.
    """
    images = read_index(folder)
    match = _NAME.match(name)
    wanted = (match["image"], match["hardware"] or "cpu") if match else (name, "cpu")
    for image in images:
        if (image.name, image.hardware) == wanted:
            return image
    known = dict.fromkeys(image.label for image in images)
    raise UsageError(f"there is no image {name!r}", hint=f"Known are: {', '.join(known) or 'none'}")


def _read_entry(entry: object, number: int, folder: Path) -> Image:
    fields = entry if isinstance(entry, dict) else {}
    values = {key: fields.get(key) for key in ("image", "hardware", "file")}
    if any(not isinstance(value, str) or not value for value in values.values()):
        missing = ", ".join(key for key, value in values.items() if not isinstance(value, str) or not value)
        raise UsageError(f"entry {number} of {folder / 'index.json'} lacks: {missing}")
    path = folder / str(values["file"])
    if path.resolve().parent != folder.resolve():
        raise UsageError(
            f"entry {number} of {folder / 'index.json'} names a file elsewhere: {values['file']}"
        )
    return Image(
        str(values["image"]),
        str(values["hardware"]),
        path,
        str(fields.get("python") or ""),
        str(fields.get("os") or ""),
        str(fields.get("date") or ""),
    )
