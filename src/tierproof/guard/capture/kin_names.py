"""Packages that share a part of their names, as `opencv-python` and `opencv-python-headless` do."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PARTS = re.compile(r"[-_.]+")
_SAYS_NOTHING = ("python", "py", "lib", "core", "client")


def split_name(name: str) -> tuple[str, ...]:
    """The parts of a package's name that tell something about it."""
    return tuple(part for part in _PARTS.split(name) if part not in _SAYS_NOTHING)


def find_kin(name: str, others: Iterable[str]) -> tuple[str, ...]:
    """Those of the other names that share a part with `name`, sorted."""
    parts = set(split_name(name))
    return tuple(
        other for other in sorted(others) if other != name and not parts.isdisjoint(split_name(other))
    )
