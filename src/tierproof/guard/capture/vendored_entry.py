"""Path entries inside a package: what a distribution carries along for itself is not installed."""

from __future__ import annotations

import os
from collections.abc import Iterable

from tierproof.guard.system.search_path import read_search_path


def drop_vendored(entries: Iterable[str]) -> tuple[str, ...]:
    """Leave out the path entries that lie in a package of another entry, such as `setuptools/_vendor`.

    The other entry may also be one of `sys.path` alone: a list of chosen entries need not name it. Eggs stay: they
    are distributions, in a folder of their own.
    """
    kept = tuple(entries)
    others = tuple(dict.fromkeys((*kept, *read_search_path())))
    return tuple(entry for entry in kept if not _is_in_package(entry, others))


def _is_in_package(entry: str, entries: Iterable[str]) -> bool:
    if entry.lower().endswith(".egg"):
        return False
    for above in entries:
        inside = entry.removeprefix(f"{above.rstrip(os.sep)}{os.sep}") if above else entry
        # Without pathlib: this runs when tierproof is imported.
        if inside != entry and os.path.isfile(f"{above}/{inside.partition(os.sep)[0]}/__init__.py"):  # noqa: PTH113
            return True
    return False
