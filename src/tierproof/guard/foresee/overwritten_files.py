"""Packages that share files with loaded ones: to install `opencv-python-headless` is to replace `opencv-python`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from tierproof.guard.capture.base import Base
from tierproof.guard.capture.kin_names import find_kin, split_name
from tierproof.guard.capture.record import read_own_record
from tierproof.guard.capture.stray_modules import STRAY_MODULES
from tierproof.guard.commands.gap import Gap, GapReason
from tierproof.guard.foresee.foreseen import Change
from tierproof.guard.resolve.lock import Lock, LockedPackage, has_native_wheel
from tierproof.guard.resolve.remote_owners import list_remote_owners
from tierproof.guard.resolve.resolve import Resolver
from tierproof.guard.resolve.wheel_files import read_wheel_files

_AT_ONCE = 8
_MODULES = (".py", ".so", ".pyd")


def find_overwritten(lock: Lock, resolver: Resolver) -> tuple[tuple[Change, ...], tuple[Gap, ...]]:
    """Return the loaded packages of which a package that comes new would overwrite modules, and what is not known.

    A package whose files cannot be read, as on an index without range requests, is a gap where a loaded one shares a
    part of its name.

    Here, the files of what is loaded are known. On an image, those loaded packages are looked at that share a part
    of their name with a package that comes new, or with a module of it.

    Args:
        lock: what is installed in the end.
        resolver: that gave it.
    """
    base = resolver.base
    new = [item for item in lock.packages if item.name not in base.by_name and not item.built]
    if not new or not base.loaded.names:
        return (), ()
    environment = resolver.settings.environment
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        listed = pool.map(lambda item: read_wheel_files(item, environment), new)
        read = dict(zip(new, listed, strict=True))
    files = {item: _keep_modules(found) for item, found in read.items() if found is not None}
    owners = _list_owners_there(files, resolver) if base.platform else _list_owners_here(files, base)
    changes = []
    for item, paths in files.items():
        for owner in dict.fromkeys(owners[path] for path in sorted(paths) if path in owners):
            if owner != item.name:
                told = f"files overwritten by {item.name} {item.version}"
                changes.append(
                    Change(
                        owner, base.by_name[owner].version, told, loaded=True, native=has_native_wheel(item)
                    )
                )
    return tuple(changes), tuple(
        _describe_unread(item, base) for item in new if _is_doubtful(item, read, base)
    )


def _is_doubtful(
    item: LockedPackage, read: Mapping[LockedPackage, frozenset[str] | None], base: Base
) -> bool:
    return read[item] is None and bool(find_kin(item.name, base.loaded.names))


def _describe_unread(item: LockedPackage, base: Base) -> Gap:
    kin = " and ".join(find_kin(item.name, base.loaded.names)[:3])
    reason = (
        f"its list of files could not be read from the index, and it may overwrite files of the loaded {kin}"
    )
    return Gap(GapReason.INDEX, f"{item.name} {item.version}", reason)


def _keep_modules(paths: Iterable[str]) -> frozenset[str]:
    """Keep modules inside a package, and leave out strays at the top that nobody imports."""
    return frozenset(path for path in paths if path.endswith(_MODULES) and _top(path) not in STRAY_MODULES)


def _list_owners_here(files: Mapping[LockedPackage, frozenset[str]], base: Base) -> dict[str, str]:
    """Map the paths of loaded packages to their names, for top-level modules that this process has imported."""
    tops = {_top(path) for paths in files.values() for path in paths} & set(sys.modules)
    if not tops:
        return {}
    return {
        entry.path: name
        for name in sorted(base.loaded.names)
        if name in base.by_name
        for entry in read_own_record(base.by_name[name])
        if _top(entry.path) in tops
    }


def _list_owners_there(files: Mapping[LockedPackage, frozenset[str]], resolver: Resolver) -> dict[str, str]:
    base = resolver.base
    words = {word for item, paths in files.items() for word in (*split_name(item.name), *map(_top, paths))}
    candidates = [name for name in sorted(base.loaded.names) if name in base.by_name and _shares(name, words)]
    return list_remote_owners(candidates, resolver)


def _shares(name: str, words: set[str]) -> bool:
    return any(part in words for part in split_name(name)) or any(
        len(word) > 2 and word in name for word in words
    )


def _top(path: str) -> str:
    return path.partition("/")[0].partition(".")[0]
