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
from tierproof.guard.resolve.wheel_metadata import WheelMetadata, read_wheel_metadata


def read_locked_requires(
    item: LockedPackage, environment: Mapping[str, str]
) -> tuple[Requirement, ...] | None:
    """Return the Requires-Dist of the wheel that `item` would install, or None if that cannot be had."""
    found = read_locked_metadata(item, environment)
    return None if found is None else found.requires


def read_locked_metadata(item: LockedPackage, environment: Mapping[str, str]) -> WheelMetadata | None:
    """Return what the wheel that `item` would install declares, or None if that cannot be had.

    Args:
        item: with its wheel; of one that would be built, what is known of its source.
        environment: of the index settings.
    """
    if item.known is not None:
        return item.known
    if item.built or not item.url:
        return None
    path = _locate(item.digest)
    kept = None if path is None else _read(path)
    if kept is not None:
        return kept
    found = read_wheel_metadata(item.url, item.bytes, environment)
    if found is not None and path is not None:
        document = {"requires": [str(each) for each in found.requires], "python": found.requires_python}
        with contextlib.suppress(OSError, OutputError):  # without it the next answer only takes longer
            path.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(path, json.dumps(document))
    return found


def read_kept_requires(item: LockedPackage) -> tuple[Requirement, ...] | None:
    """Return the Requires-Dist of `item` if it is known without asking an index, as after a resolution; else None."""
    path = _locate(item.digest)
    kept = item.known or (None if path is None else _read(path))
    return None if kept is None else kept.requires


def _locate(digest: str) -> Path | None:
    if not digest:
        return None
    return find_user_cache_folder() / "declared" / digest[:2] / f"{digest[2:]}.json"


def _read(path: Path) -> WheelMetadata | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        requires = tuple(Requirement(line) for line in document["requires"])
        return WheelMetadata(requires, str(document["python"]))
    except (OSError, ValueError, TypeError, KeyError, InvalidRequirement):
        return None
