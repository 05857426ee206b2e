"""Which wheels an interpreter takes: this one, or one on another machine, from its version and platform."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from packaging.tags import Tag, compatible_tags, cpython_tags, sys_tags

from tierproof.errors import UsageError

_GLIBC = re.compile(r"(x86_64|aarch64)-manylinux_(\d+)_(\d+)\Z")
# PEP 600: the older names of three glibc versions.
_LEGACY = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
_OLDEST_GLIBC = {"x86_64": (2, 5), "aarch64": (2, 17)}


@lru_cache(maxsize=8)
def rank_tags(python: str = "", platform: str = "") -> Mapping[Tag, int]:
    """Return the tags that an interpreter takes, the best first, each with its rank.

    Args:
        python: the version of a CPython, such as `3.12.11`; read only with a platform.
        platform: as uv names it, `x86_64-manylinux_2_35` for one; empty for the running interpreter.

    Raises:
        UsageError: the platform is unknown.
    """
    if not platform:
        return {tag: rank for rank, tag in enumerate(sys_tags())}
    version = tuple(int(part) for part in python.split(".")[:2])
    interpreter = f"cp{version[0]}{version[1]}"
    platforms = list(_iterate_platforms(platform))
    tags = [
        *cpython_tags(version, platforms=platforms),
        *compatible_tags(version, interpreter, platforms),
    ]
    return {tag: rank for rank, tag in enumerate(dict.fromkeys(tags))}


def describe_machine(platform: str) -> str:
    """Return the machine of a platform as `platform.machine()` spells it there.

    Raises:
        UsageError: as `rank_tags`.
    """
    return _read(platform)[0]


def _iterate_platforms(platform: str) -> Iterator[str]:
    machine, glibc = _read(platform)
    for minor in range(glibc[1], _OLDEST_GLIBC[machine][1] - 1, -1):
        yield f"manylinux_{glibc[0]}_{minor}_{machine}"
        if (glibc[0], minor) in _LEGACY:
            yield f"{_LEGACY[glibc[0], minor]}_{machine}"
    yield f"linux_{machine}"


def _read(platform: str) -> tuple[str, tuple[int, int]]:
    match = _GLIBC.match(platform)
    if match is None or match[2] != "2":
        raise UsageError(
            f"unknown platform {platform!r}",
            hint="Use a Linux platform, such as x86_64-manylinux_2_35 or aarch64-manylinux_2_28 (machine and glibc).",
        )
    return match[1], (int(match[2]), int(match[3]))
