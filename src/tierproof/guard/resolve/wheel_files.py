"""Which files a wheel installs: read from its directory at the end of the archive, and kept by its hash."""

from __future__ import annotations

import contextlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.user_folders import find_user_cache_folder
from tierproof.errors import OutputError
from tierproof.guard.resolve.lock import LockedPackage
from tierproof.guard.resolve.ranged_file import RangedFile
from tierproof.guard.resolve.wheel_metadata import fetch

_PURE = (".data/purelib/", ".data/platlib/")


def read_wheel_files(item: LockedPackage, environment: Mapping[str, str]) -> frozenset[str] | None:
    """Return the paths that the wheel of `item` installs among the modules, its metadata aside; None if unknown.

    Args:
        item: with its wheel; one that would be built tells nothing.
        environment: of the index settings.
    """
    if item.built or not item.url:
        return None
    known = recall_wheel_files(item)
    if known is not None:
        return known
    try:
        found = _read(item, environment)
    except (OSError, ValueError, zipfile.BadZipFile):
        return None
    if item.digest:
        with contextlib.suppress(OSError, OutputError):  # without it the next answer only takes longer
            path = _find_place(item)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(path, json.dumps(sorted(found)))
    return found


def recall_wheel_files(item: LockedPackage) -> frozenset[str] | None:
    """Return what an earlier `read_wheel_files` has read of the same wheel; None if nothing. No index is asked."""
    if item.built or not item.digest:
        return None
    with contextlib.suppress(OSError, ValueError, TypeError):
        return frozenset(json.loads(_find_place(item).read_text(encoding="utf-8")))
    return None


def _find_place(item: LockedPackage) -> Path:
    return find_user_cache_folder() / "files" / item.digest[:2] / f"{item.digest[2:]}.json"


def _read(item: LockedPackage, environment: Mapping[str, str]) -> frozenset[str]:
    if urlsplit(item.url).scheme == "file":
        file: IO[bytes] | RangedFile = io.BytesIO(fetch(item.url, environment))
    elif item.bytes:
        file = RangedFile(lambda begin, end: fetch(item.url, environment, (begin, end)), item.bytes)
    else:
        raise OSError("its size is not known")
    with zipfile.ZipFile(cast("IO[bytes]", file)) as archive:
        return frozenset(place for name in archive.namelist() if (place := _place(name)))


def _place(name: str) -> str:
    """Return where a file of a wheel lands among the modules; empty for a folder, metadata, scripts and data."""
    for mark in _PURE:
        if mark in name:
            name = name.partition(mark)[2]
    top = name.partition("/")[0]
    return "" if name.endswith("/") or top.endswith((".dist-info", ".data")) else name
