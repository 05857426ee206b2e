"""Which package of a base on another machine a file belongs to: read from the wheels of its releases."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tierproof.guard.resolve.resolve import Resolver, Unsolvable
from tierproof.guard.resolve.wheel_files import read_wheel_files

_AT_ONCE = 8


def list_remote_owners(names: Iterable[str], resolver: Resolver) -> dict[str, str]:
    """Map the files of these packages, in the versions of the base, to their names.

    A release that is on no index, as one with a local version is not, owns nothing that is known.

    Args:
        names: of packages that are installed there.
        resolver: of that base.
    """
    versions = {name: resolver.base.version(name) for name in names}
    lines = [f"{name}=={version}" for name, version in versions.items() if version and not version.local]
    found = resolver.locate(lines) if lines else Unsolvable("")
    if isinstance(found, Unsolvable):  # a release of an image that is on no index
        return {}
    environment = resolver.settings.environment
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        listed = pool.map(lambda item: read_wheel_files(item, environment), found.packages)
        return {
            path: item.name
            for item, paths in zip(found.packages, listed, strict=True)
            for path in paths or ()
        }
