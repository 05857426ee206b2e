"""The `index.json` of a folder of images: which freeze list is which image on which hardware."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.json_value import JsonValue
from tierproof.errors import UsageError

_NAME = re.compile(r"(?P<image>.+?)(?:-(?P<hardware>cpu|gpu|tpu))?\Z")
# The glibc of an Ubuntu release: it decides which manylinux wheels an image takes.
_GLIBC = {"18.04": "2_27", "20.04": "2_31", "22.04": "2_35", "24.04": "2_39", "26.04": "2_43"}
_OLDEST_GLIBC = "2_28"
INDEX_NAME = "index.json"
HARDWARE = ("cpu", "gpu", "tpu")
_LIST = "It must be a JSON list, as docs/images.md describes."
_TEXT_FIELDS = ("python", "os", "date", "commit", "numpy", "torch", "transformers", "sha256")
HERE = "here"  # the name of the running interpreter as an image


@dataclass(frozen=True, slots=True)
class Image:
    """One image: a freeze list and what it was taken on.

    Attributes:
        name: such as `colab:2026.01`.
        hardware: `cpu`, `gpu` or `tpu`.
        path: of its freeze list.
        python: full version, such as `3.12.12`; empty if the index does not say.
        os: as the image names it, such as `Ubuntu 22.04.5 LTS`.
        date: ISO, or empty.
        commit: of the repository that published the list, or empty.
        pinned: users of the service can choose this image for as long as it is offered.
        packages: how many the index announces; 0 if it does not say.
        numpy: version there, or empty; torch and transformers likewise.
        sha256: of the list, in hexadecimal, line ends read as newlines; empty if the index does not say.
        given_platform: as uv names it, if the user gave one; if empty, it is worked out from `os`.
        added: by the user, so no sync replaces it.
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
    numpy: str = ""
    torch: str = ""
    transformers: str = ""
    sha256: str = ""
    given_platform: str = ""
    added: bool = False

    @property
    def label(self) -> str:
        """The name by which a plan calls it: `colab:2026.01-gpu`; plain for the CPU, and for this interpreter."""
        return self.name if self.hardware == "cpu" or self.name == HERE else f"{self.name}-{self.hardware}"

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
        UsageError: there is no index, or it is not valid.
    """
    path = folder / INDEX_NAME
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror or error}",
            hint="Make this file readable: it lists the stored images.",
        ) from error
    entries = parse_index(content, source=str(path))
    return tuple(read_entry(entry, number, folder) for number, entry in enumerate(entries, 1))


def parse_index(content: bytes, *, source: str) -> list[object]:
    """Return the entries of an index as parsed JSON.

    Raises:
        UsageError: it is not a JSON list; `source` is what the message calls it.
    """
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"the index of images {source} is not valid JSON: {error}",
            hint=f"{_LIST} If {source} is a web page, download the index again.",
        ) from error
    if not isinstance(document, list):
        raise UsageError(f"{source} is not an index of images", hint=_LIST)
    return document


def format_index(images: Iterable[Image]) -> str:
    """Give the text of an `index.json`; `read_index` reads the same images from it."""
    return json.dumps([_describe(image) for image in images], indent=1, ensure_ascii=False) + "\n"


def split_label(label: str, hardware: str = "cpu") -> tuple[str, str]:
    """Split `NAME[-cpu|-gpu|-tpu]` into name and hardware; `hardware` is the default."""
    match = _NAME.match(label)
    return (match["image"], match["hardware"] or hardware) if match else (label, hardware)


def read_entry(entry: object, number: int, folder: Path) -> Image:
    """Read entry `number` (from 1) of the index in `folder`.

    Raises:
        UsageError: a required field is missing, or the file lies outside the folder.
    """
    fields = entry if isinstance(entry, dict) else {}
    values = {key: fields.get(key) for key in ("image", "hardware", "file")}
    if any(not isinstance(value, str) or not value for value in values.values()):
        missing = ", no ".join(
            key for key, value in values.items() if not isinstance(value, str) or not value
        )
        raise UsageError(
            f"entry {number} of {folder / INDEX_NAME} has no {missing}",
            hint="Each entry needs `image`, `hardware` and `file`, each a non-empty string.",
        )
    path = folder / str(values["file"])
    if "\0" in str(path) or path.resolve().parent != folder.resolve():
        raise UsageError(
            f"entry {number} of {folder / INDEX_NAME} names a file outside its folder: {values['file']}",
            hint="Name a file that is directly in this folder.",
        )
    packages = fields.get("packages")
    texts = {key: str(fields.get(key) or "") for key in _TEXT_FIELDS}
    return Image(
        str(values["image"]),
        str(values["hardware"]),
        path,
        pinned=fields.get("pinned") is True,
        packages=packages if type(packages) is int and packages > 0 else 0,
        given_platform=str(fields.get("platform") or ""),
        added=fields.get("added") is True,
        **texts,
    )


def _describe(image: Image) -> dict[str, JsonValue]:
    entry: dict[str, JsonValue] = {
        "image": image.name,
        "hardware": image.hardware,
        "file": image.path.name,
        "date": image.date or None,
        "commit": image.commit or None,
        "pinned": image.pinned,
        "python": image.python or None,
        "os": image.os or None,
        "packages": image.packages,
        "numpy": image.numpy or None,
        "torch": image.torch or None,
        "transformers": image.transformers or None,
    }
    entry |= {"sha256": image.sha256} if image.sha256 else {}
    entry |= {"platform": image.given_platform} if image.given_platform else {}
    return entry | ({"added": True} if image.added else {})
