"""Path entries inside a package: what a distribution carries along for itself is not installed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def drop_vendored(entries: Iterable[str]) -> tuple[str, ...]:
    """Leave out the path entries that lie in a package of another entry, such as `setuptools/_vendor`.

    Eggs stay: they are distributions, in a folder of their own.
    """
    kept = tuple(entries)
    return tuple(entry for entry in kept if not _is_in_package(entry, kept))


def _is_in_package(entry: str, entries: Iterable[str]) -> bool:
    if entry.lower().endswith(".egg"):
        return False
    for above in entries:
        inside = entry.removeprefix(f"{above.rstrip(os.sep)}{os.sep}") if above else entry
        if inside != entry and Path(above, inside.partition(os.sep)[0], "__init__.py").is_file():
            return True
    return False
