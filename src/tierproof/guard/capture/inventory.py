"""The inventory of a generation: every file of every package with its hash; it stands in for RECORD.

A RECORD inside the generation would let pip uninstall from it; the inventory lies beside the packages.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tierproof.core.hash_file import hash_file

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What a file must be: the hexadecimal SHA-256 of its content, and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class PackageFiles:
    """The files of one package.

    Attributes:
        version: as its metadata says.
        files: by path relative to the generation's `site` folder, with forward slashes.
        scripts: by path relative to the generation's folder, under `bin/`.
        data: by path relative to the generation's folder, under `data/`.
        left_out: path files (`.pth`) of the wheel, which the generation does not contain.
    """

    version: str
    files: Mapping[str, FileStamp]
    scripts: Mapping[str, FileStamp] = field(default_factory=dict)
    data: Mapping[str, FileStamp] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def iterate(self) -> Iterator[tuple[str, FileStamp]]:
        """Yield every file, by path relative to the generation's folder."""
        yield from ((f"site/{path}", stamp) for path, stamp in self.files.items())
        yield from self.scripts.items()
        yield from self.data.items()

    def digest(self) -> str:
        """One hash over the package's modules and data; scripts name an interpreter and do not count."""
        lines = sorted(f"{path} {stamp.sha256}" for path, stamp in {**self.files, **self.data}.items())
        return "files:" + hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class Inventory:
    """The packages of a generation, by normalised name."""

    packages: Mapping[str, PackageFiles]

    def to_json(self) -> str:
        """The text that `parse_inventory` reads."""
        packages = {
            name: {
                "version": each.version,
                "files": _dump(each.files),
                "scripts": _dump(each.scripts),
                "data": _dump(each.data),
                **({"left_out": list(each.left_out)} if each.left_out else {}),
            }
            for name, each in sorted(self.packages.items())
        }
        return json.dumps({"format_version": FORMAT_VERSION, "packages": packages}, separators=(",", ":"))


def parse_inventory(text: str) -> Inventory:
    """Read what `Inventory.to_json` wrote.

    Raises:
        ValueError: the text is not an inventory, or a path in it leads out of the generation.
    """
    try:
        document = json.loads(text)
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError(
                f"its list of files has the format {document['format_version']}, but this version of tierproof reads "
                f"{FORMAT_VERSION}"
            )
        packages = {
            str(name): PackageFiles(
                str(each["version"]),
                _load(each["files"]),
                _load(each.get("scripts", {})),
                _load(each.get("data", {})),
                tuple(map(str, each.get("left_out", ()))),
            )
            for name, each in document["packages"].items()
        }
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"its list of files is incomplete ({error!r})") from error
    return Inventory(packages)


def find_damage(folder: Path, inventory: Inventory, *, read: bool = True) -> tuple[str, ...]:
    """Return the files, relative to the generation's folder, that are missing or have changed.

    Args:
        folder: of the generation.
        inventory: of it.
        read: compare hashes; otherwise compare only presence and size.
    """
    wanted = [item for files in inventory.packages.values() for item in files.iterate()]

    def differs(item: tuple[str, FileStamp]) -> bool:
        path, stamp = folder / item[0], item[1]
        try:
            if path.is_symlink():
                return True
            if path.stat().st_size != stamp.size:
                return True
            return read and hash_file(path) != stamp.sha256
        except OSError:
            return True

    with ThreadPoolExecutor(4) as pool:
        return tuple(item[0] for item, wrong in zip(wanted, pool.map(differs, wanted), strict=True) if wrong)


def stamp_file(path: Path) -> FileStamp:
    """Hash one file."""
    return FileStamp(hash_file(path), path.stat().st_size)


def _dump(files: Mapping[str, FileStamp]) -> dict[str, list[str | int]]:
    return {path: [stamp.sha256, stamp.size] for path, stamp in sorted(files.items())}


def _load(files: Mapping[str, Any]) -> dict[str, FileStamp]:
    loaded = {}
    for path, (digest, size) in files.items():
        parts = PurePosixPath(path)
        if (
            parts.is_absolute()
            or ".." in parts.parts
            or not isinstance(digest, str)
            or not isinstance(size, int)
        ):
            raise ValueError(f"its list of files has an invalid entry for {path!r}")
        loaded[path] = FileStamp(digest, size)
    return loaded
