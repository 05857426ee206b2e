"""RECORD: the files that a distribution installed, and whether they are still what was installed."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from packaging.utils import canonicalize_name

from tierproof.core.hash_file import hash_for_record
from tierproof.guard.capture.installed import InstalledDistribution

_INVENTORY = "inventory.json"
_UNCHECKED_SUFFIXES = (".pyc", ".pyo")
_MOST_DIGITS = 19  # of a size; Python refuses to read a number of thousands


class RecordEntry(NamedTuple):
    """One line of RECORD; a tuple, as an environment has a hundred thousand of them.

    Attributes:
        path: relative to the folder that holds the `.dist-info`, with forward slashes; may begin with `..`.
        digest: `algorithm=urlsafe-base64`, empty if the line gives none (as for RECORD itself).
        size: in bytes, None if the line gives none.
    """

    path: str
    digest: str = ""
    size: int | None = None

    @property
    def is_checkable(self) -> bool:
        """False for bytecode, which Python rewrites, and for what carries no digest."""
        return bool(self.digest) and not self.path.endswith(_UNCHECKED_SUFFIXES)


def parse_record(text: str) -> tuple[RecordEntry, ...]:
    """Read RECORD (three comma-separated fields, quoted as csv); broken lines keep what can be read of them."""
    entries = []
    for line in text.replace("\\", "/").splitlines():
        path, digest, size = _split_line(line)
        if path and "\0" not in path:  # no file can have such a name, and to ask for it is an error
            known = size.isascii() and size.isdigit() and len(size) <= _MOST_DIGITS
            entries.append(RecordEntry(path, digest if "=" in digest else "", int(size) if known else None))
    return tuple(entries)


def format_record(entries: Iterable[RecordEntry]) -> str:
    """Write what `parse_record` reads."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for entry in entries:
        writer.writerow([entry.path, entry.digest, "" if entry.size is None else entry.size])
    return stream.getvalue()


def read_record(metadata_path: Path, *, strict: bool = False) -> tuple[RecordEntry, ...]:
    """Read the RECORD of a `.dist-info`; empty if there is none.

    Args:
        metadata_path: of the distribution.
        strict: for who changes files by it: one that is there and cannot be read is an error, not empty.

    Raises:
        OSError: if `strict`.
    """
    return parse_record(read_record_text(metadata_path, strict=strict))


def read_record_text(metadata_path: Path, *, strict: bool = False) -> str:
    """Read the RECORD of a `.dist-info` as it stands; otherwise as `read_record`."""
    try:
        return (metadata_path / "RECORD").read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        if strict and not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise
        return ""


def read_own_record(distribution: InstalledDistribution, *, strict: bool = False) -> tuple[RecordEntry, ...]:
    """Read the RECORD of a distribution; of one that tierproof added, the inventory beside its site directory.

    Args:
        distribution: which one.
        strict: as for `read_record`.
    """
    entries = read_record(distribution.metadata_path, strict=strict)
    return entries or read_inventory(distribution.root, distribution.name)


def read_inventory(root: Path, name: str) -> tuple[RecordEntry, ...]:
    """Read what the inventory of a generation says of a package; empty if there is none.

    Args:
        root: the generation's site directory; the inventory lies beside it.
        name: normalised.
    """
    try:
        status = os.stat(f"{root}/../{_INVENTORY}")  # noqa: PTH116
        files = _read_packages(str(root), status.st_mtime_ns, status.st_size)[name]["files"]
        return tuple(
            RecordEntry(str(path), _encode(bytes.fromhex(digest)), int(size))
            for path, (digest, size) in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()


@lru_cache(maxsize=8)
def _read_packages(root: str, _mtime_ns: int, _size: int) -> dict[str, Any]:
    document = json.loads(Path(root, "..", _INVENTORY).read_text(encoding="utf-8"))
    packages: dict[str, Any] = document["packages"] if document["format_version"] == 1 else {}
    return {canonicalize_name(name): package for name, package in packages.items()}


def _encode(digest: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def find_mismatches(
    root: Path, entries: Iterable[RecordEntry], *, hash_changed_since: float = 0.0
) -> tuple[str, ...]:
    """Return the paths whose file is absent, of another size, or of another hash.

    Args:
        root: the folder that holds the `.dist-info`.
        entries: of its RECORD.
        hash_changed_since: files whose inode changed at or after this time (seconds since the epoch) are
            hashed; older ones are judged by presence and size. Infinity hashes none.
    """
    wrong = []
    for entry in entries:
        if not entry.is_checkable:
            continue
        path = (
            f"{root}/{entry.path}"  # pathlib would cost more than the call itself, a hundred thousand times
        )
        try:
            status = os.stat(path)  # noqa: PTH116
        except OSError:
            wrong.append(entry.path)
            continue
        has_other_size = entry.size is not None and status.st_size != entry.size
        changed = status.st_ctime >= hash_changed_since
        if has_other_size or (changed and not has_digest(Path(path), entry.digest)):
            wrong.append(entry.path)
    return tuple(wrong)


def sift_record(root: Path, text: str, *, hash_changed_since: float) -> str:
    """Filter RECORD to the lines that `find_mismatches` may report; most lines are dropped without parsing.

    Args:
        root: the folder that holds the `.dist-info`.
        text: of its RECORD.
        hash_changed_since: as for `find_mismatches`.
    """
    left, folder = [], f"{root}/"
    for line in text.replace("\\", "/").splitlines():
        path, digest, size = _split_line(line)
        if "=" not in digest or path.endswith(_UNCHECKED_SUFFIXES):
            continue
        try:
            status = os.stat(folder + path)  # noqa: PTH116 - fifteen thousand times for torch alone
        except (OSError, ValueError):
            left.append(line)
            continue
        if status.st_ctime >= hash_changed_since or str(status.st_size) != size:
            left.append(line)
    return "\n".join(left)


def has_digest(path: Path, digest: str) -> bool:
    """Tell whether the file's content has `digest` (`sha256=…`); an unknown algorithm counts as a match."""
    algorithm, _, expected = digest.partition("=")
    if algorithm not in hashlib.algorithms_guaranteed or algorithm.startswith("shake"):
        return True
    try:
        return hash_for_record(path, algorithm) == expected.rstrip("=")
    except OSError:
        return False


def _split_line(line: str) -> list[str]:
    """Path, digest and size as they stand, each perhaps empty."""
    if '"' not in line:
        row = line.rsplit(",", 2)
    else:  # not `strict`: a stray quote costs its line, not the file
        try:
            row = next(csv.reader([line]), [])
        except csv.Error:
            row = []
    return row if len(row) == 3 else [*row, "", "", ""][:3]
