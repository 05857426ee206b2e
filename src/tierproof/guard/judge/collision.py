"""Packages whose files collide with installed ones: found before the download, from the directories of their wheels.

Two packages cannot share a module in one environment, so such a plan leads to a worker. A directory is read where
names make a collision likely, so that a plan of ordinary packages takes no longer; what was read of a wheel before
counts for any. The rest is found when the files themselves are staged.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tierproof.guard.capture.base import Base
from tierproof.guard.capture.kin_names import find_kin
from tierproof.guard.capture.module_collisions import find_module_collision, is_importable, list_yielding
from tierproof.guard.capture.record import read_own_record
from tierproof.guard.capture.stray_modules import STRAY_MODULES
from tierproof.guard.judge.plan import PlanVerdict
from tierproof.guard.judge.request import Judgement, Request
from tierproof.guard.resolve.lock import LockedPackage
from tierproof.guard.resolve.remote_owners import list_remote_owners
from tierproof.guard.resolve.resolve import Resolver
from tierproof.guard.resolve.wheel_files import read_wheel_files, recall_wheel_files

_AT_ONCE = 8
_INSTALLS = (PlanVerdict.ADDITIVE, PlanVerdict.SHADOW, PlanVerdict.WAIVER)


@dataclass(frozen=True, slots=True)
class Collision:
    """A package that shares a module with an installed one.

    Attributes:
        added: its name and version.
        module: by its path in the package.
        owner: normalised name of the installed package; empty where the file belongs to none.
        installed: name and version of the owner, else the path of the file.
    """

    added: str
    module: str
    owner: str
    installed: str

    def describe(self) -> str:
        """Say it without a full stop."""
        module = self.module.removesuffix("/__init__.py").partition(".")[0].replace("/", ".")
        if self.owner:
            return f"{self.added} and the installed {self.installed} both contain the module {module}"
        return f"{self.added} contains the module {module}, which is installed as {self.installed}"


def find_collision(judgement: Judgement, request: Request) -> Collision | None:
    """Return the first collision that an install would end in; None if none is known.

    Args:
        judgement: what would be installed.
        request: with the base, and the resolver that knows the index.
    """
    plan, lock, base = judgement.plan, judgement.lock, request.base
    if lock is None or plan.verdict not in _INSTALLS:
        return None
    shadowed = {item.name for item in plan.shadows}
    fetched = {item.name for item in plan.add} | shadowed
    # One that replaces what was added earlier has met the base before.
    new = [item for item in lock.packages if item.name in fetched and item.name not in base.added]
    files = _read_files(new, frozenset(base.by_name) - shadowed, request.resolver)
    if not files:
        return None
    if base.platform:
        return _meet_there(files, shadowed, request.resolver)
    return _meet_on_disk(files, shadowed, base) or _meet_added(files, fetched, base)


def _read_files(
    new: Iterable[LockedPackage], others: Collection[str], resolver: Resolver
) -> dict[LockedPackage, frozenset[str]]:
    """The modules of each package of which they are known, or worth a question to the index."""
    base, environment = resolver.base, resolver.settings.environment

    def read(item: LockedPackage) -> frozenset[str] | None:
        is_likely = bool(find_kin(item.name, others)) or _is_module_of(item.name, base)
        return read_wheel_files(item, environment) if is_likely else recall_wheel_files(item)

    items = [item for item in new if not item.built]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        listed = zip(items, pool.map(read, items), strict=True)
        return {
            item: frozenset(path for path in paths if is_importable(path))
            for item, paths in listed
            if paths is not None
        }


def _is_module_of(name: str, base: Base) -> bool:
    """Tell whether a package's name is that of an installed module: `attr` is one of `attrs`."""
    module = name.replace("-", "_")
    candidates = (f"{root}/{module}{end}" for root in _list_roots(base) for end in ("/__init__.py", ".py"))
    return not base.platform and any(map(os.path.exists, candidates))


def _list_roots(base: Base) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(item.root) for item in base.installed if item.name not in base.added))


def _meet_on_disk(
    files: Mapping[LockedPackage, frozenset[str]], shadowed: Collection[str], base: Base
) -> Collision | None:
    yielding = list_yielding(
        (str(base.by_name[name].root), [entry.path for entry in read_own_record(base.by_name[name])])
        for name in shadowed
    )
    roots, beside = _list_roots(base), frozenset(path for paths in files.values() for path in paths)
    for item, paths in files.items():
        found = find_module_collision(sorted(paths), roots, yielding, beside)
        if found is not None:
            owner = _find_owner(found.path, item.name, base)
            return _make(item, found.unit, owner, base, found.path)
    return None


def _find_owner(path: str, name: str, base: Base) -> str:
    """The installed package with a file at, or below, `path`; those of a like name are asked first."""
    names = [each for each in base.by_name if each not in base.added]
    for each in dict.fromkeys((*find_kin(name, names), *names)):
        prefix = f"{base.by_name[each].root}/"
        inside = path.removeprefix(prefix)
        if inside != path and any(
            f"{entry.path}/".startswith(f"{inside}/") for entry in read_own_record(base.by_name[each])
        ):
            return each
    return ""


def _meet_added(
    files: Mapping[LockedPackage, frozenset[str]], fetched: Collection[str], base: Base
) -> Collision | None:
    """Find a package that was added earlier and stays: only files of equal content may be in both.

    An `__init__.py` is mostly equal (one namespace), any other module with the same path mostly not.
    """
    for owner in sorted(name for name in base.added if name in base.by_name and name not in fetched):
        owned = {entry.path for entry in read_own_record(base.by_name[owner])}
        for item, paths in files.items():
            both = (path for path in sorted(paths & owned) if not path.endswith("/__init__.py"))
            found = next((path for path in both if "/" in path and _top(path) not in STRAY_MODULES), "")
            if found:
                return _make(item, _top(found), owner, base)
    return None


def _meet_there(
    files: Mapping[LockedPackage, frozenset[str]], shadowed: Collection[str], resolver: Resolver
) -> Collision | None:
    """Find a package of another machine by the wheels of those with a like name."""
    base = resolver.base
    regular = {item: kept for item, paths in files.items() if (kept := _keep_regular(paths))}
    kin = {name for item in regular for name in find_kin(item.name, base.by_name) if name not in shadowed}
    owners = list_remote_owners(sorted(kin), resolver) if kin else {}
    for item, paths in regular.items():
        found = next((path for path in sorted(paths) if path in owners), "")
        if found:
            return _make(item, _top(found), owners[found], base)
    return None


def _keep_regular(paths: frozenset[str]) -> frozenset[str]:
    """Leave out strays and namespaces, which many packages share: `google` has no `__init__.py`."""
    return frozenset(
        path
        for path in paths
        if _top(path) not in STRAY_MODULES and ("/" not in path or f"{_top(path)}/__init__.py" in paths)
    )


def _make(item: LockedPackage, module: str, owner: str, base: Base, path: str = "") -> Collision:
    installed = f"{owner} {base.by_name[owner].version}" if owner else path
    return Collision(f"{item.name} {item.version}", module, owner, installed)


def _top(path: str) -> str:
    return path.partition("/")[0]
