"""What a package of a resolution declares that it needs, kept by its wheel's hash: a wheel never changes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.user_folders import find_user_cache_folder
from tierproof.errors import OutputError
from tierproof.guard.resolve.lock import LockedPackage
from tierproof.guard.resolve.wheel_metadata import read_requires


def read_locked_requires(
    item: LockedPackage, environment: Mapping[str, str]
) -> tuple[Requirement, ...] | None:
    """Return the Requires-Dist of the wheel that `item` would install, or None if that cannot be had.

    Args:
        item: with its wheel; one that would be built tells nothing.
        environment: of the index settings.
    """
    if item.built or not item.url:
        return None
    path = _locate(item.digest)
    kept = None if path is None else _read(path)
    if kept is not None:
        return kept
    found = read_requires(item.url, item.bytes, environment)
    if found is not None and path is not None:
        with contextlib.suppress(OSError, OutputError):  # without it the next answer only takes longer
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(path, json.dumps([str(each) for each in found]))
    return found


def _locate(digest: str) -> Path | None:
    if not digest:
        return None
    return find_user_cache_folder() / "requires" / digest[:2] / f"{digest[2:]}.json"


def _read(path: Path) -> tuple[Requirement, ...] | None:
    try:
        return tuple(Requirement(line) for line in json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, InvalidRequirement):
        return None
