"""The `index.json` of a folder of images: which freeze list is which image on which hardware."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tierproof.errors import UsageError

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
        commit: of the public repository, or empty.
        pinned: it is one of the runtimes that a notebook can be pinned to.
        packages: lines of its list; 0 where the index does not tell.
        notable: versions of a few packages, as its index tells them.
        given_platform: as uv names it, where somebody gave it; else it follows from `os`.
    """

    name: str
    hardware: str
    path: Path
    python: str
    os: str = ""
    date: str = ""
    commit: str = ""
    pinned: bool = False
    packages: int = 0
    notable: Mapping[str, str] = field(default_factory=dict, hash=False)
    given_platform: str = ""

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
        if self.given_platform:
            return self.given_platform
        release = re.search(r"Ubuntu (\d+\.\d+)", self.os)
        glibc = _GLIBC.get(release[1], _OLDEST_GLIBC) if release else _OLDEST_GLIBC
        return f"x86_64-manylinux_{glibc}"


def read_index(folder: Path) -> tuple[Image, ...]:
    """Read `folder`/index.json.

    Raises:
        UsageError: there is none, or it is none.
    """
    return tuple(read_entry(entry, number, folder) for number, entry in enumerate(read_entries(folder), 1))


def read_entries(folder: Path) -> list[dict[str, object]]:
    """Read the entries of `folder`/index.json as they stand.

    Raises:
        UsageError: there is none, or it is none.
    """
    path = folder / "index.json"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no text: {error.reason}") from error
    return parse_entries(text, str(path))


def parse_entries(text: str, source: str) -> list[dict[str, object]]:
    """Parse the text of an index.

    Raises:
        UsageError: it is none.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{source} is no JSON: {error}") from error
    if not isinstance(document, list):
        raise UsageError(f"{source} is no index of images: a list is expected")
    return [each if isinstance(each, dict) else {} for each in document]


def read_entry(fields: Mapping[str, object], number: int, folder: Path) -> Image:
    """Read one entry of an index.

    Args:
        fields: of the entry.
        number: of the entry, from 1, for an error.
        folder: of the index.

    Raises:
        UsageError: something is missing, or its file lies elsewhere.
    """
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
        str(fields.get("commit") or ""),
        bool(fields.get("pinned")),
        packages if isinstance(packages := fields.get("packages"), int) else 0,
        {name: str(fields[name]) for name in ("numpy", "torch", "transformers") if fields.get(name)},
        str(fields.get("platform") or ""),
    )
