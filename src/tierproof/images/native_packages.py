"""Which packages ship native code: told by the wheels that the index serves."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from packaging.version import InvalidVersion, Version

from tierproof.guard.index_settings import read_index_settings
from tierproof.images.declared_requires import Target, find_native
from tierproof.images.requires_cache import RequiresCache

_PLATFORM = "x86_64-manylinux_2_35"


def find_native_packages(versions: Mapping[str, str], python: str) -> dict[str, bool]:
    """Tell by normalised name which releases ship native code; those that no index has are left out.

    Args:
        versions: of the packages, by name.
        python: for which wheels are looked at; the running one's where it is empty.

    Raises:
        PlanError: the index cannot be asked.
    """
    releases = []
    for name, version in versions.items():
        try:
            releases.append((name, Version(version).public))
        except InvalidVersion:
            continue
    target = Target(python or ".".join(map(str, sys.version_info[:2])), _PLATFORM, sys.executable)
    return find_native(releases, target, read_index_settings(), RequiresCache())
