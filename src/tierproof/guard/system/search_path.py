"""`sys.path` as the interpreter reads it: anything may stand in it, and what is no text is passed over."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def read_search_path(path: Sequence[object] | None = None) -> list[str]:
    """Return the entries that Python looks for modules in; a Path, bytes, None or a number is none.

    Args:
        path: such a list; `sys.path` by default.
    """
    return [str.__str__(entry) for entry in (sys.path if path is None else path) if _is_read(entry)]


def change_search_path(entries: Sequence[str]) -> None:
    """Give `sys.path` other entries that are read; whatever else stands in it keeps its place."""
    others = [(place, entry) for place, entry in enumerate(sys.path) if not _is_read(entry)]
    changed: list[str] = list(entries)
    for place, entry in others:
        changed.insert(place, entry)
    sys.path[:] = changed


def _is_read(entry: object) -> bool:
    return issubclass(type(entry), str) and "\0" not in str.__str__(entry)
