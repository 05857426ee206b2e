"""Modules of a package that would extend, or stand in for, those that lie on the path already."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from tierproof.guard.capture.stray_modules import STRAY_MODULES

MODULE_SUFFIXES = (".py", ".so", ".pyd", ".pyc")


@dataclass(frozen=True, slots=True)
class ModuleCollision:
    """A file or folder of an addition, by its relative path, and the installed one that it meets."""

    unit: str
    path: str


def find_module_collision(
    paths: Iterable[str],
    roots: Sequence[str],
    yielding: Collection[str] = (),
    beside: Collection[str] | None = None,
) -> ModuleCollision | None:
    """Return the first file of a package that meets an installed module.

    Args:
        paths: the package's files, relative to the folder that it is imported from.
        roots: folders on sys.path that hold what is installed.
        yielding: absolute paths of installed files that it may override.
        beside: the files of everything that is added with it; its own by default.
    """
    listed = list(paths)
    staged = frozenset(listed) if beside is None else beside
    seen: set[str] = set()
    inside: dict[str, list[str]] = {}
    for path in listed:
        parts = path.split("/")
        top = parts[0]
        if top in STRAY_MODULES or not is_importable(path) or top.endswith(".dist-info"):
            continue
        for depth in range(1, len(parts) + 1):
            unit = "/".join(parts[:depth])
            if unit in seen:
                continue
            seen.add(unit)
            if depth > 1 and top not in inside:  # below a folder that is not there nothing is met
                inside[top] = [root for root in roots if os.path.isdir(f"{root}/{top}")]  # noqa: PTH112
            for root in roots if depth == 1 else inside[top]:
                found = _meet(root, unit, yielding, staged, is_folder=depth < len(parts))
                if found is not None:
                    return found
    return None


def list_yielding(distributions: Iterable[tuple[str, Iterable[str]]]) -> frozenset[str]:
    """Return the absolute paths of base files that belong to shadowed packages, and of the folders above them.

    Args:
        distributions: root folder and relative paths of each shadowed package.
    """
    found: set[str] = set()
    for root, paths in distributions:
        for path in paths:
            current = os.path.normpath(f"{root}/{path}")
            while len(current) > len(root) and current not in found:
                found.add(current)
                current = current.rpartition("/")[0]
    return frozenset(found)


def is_importable(path: str) -> bool:
    """Tell whether a file is a module, by its name."""
    return path.endswith(MODULE_SUFFIXES)


def name_module(file: str) -> str:
    """Return the name under which a file is imported; empty for one that is no module."""
    return file.partition(".")[0] if is_importable(file) else ""


def _meet(
    root: str, unit: str, yielding: Collection[str], staged: Collection[str], *, is_folder: bool
) -> ModuleCollision | None:
    """Return how one file or folder of the addition meets another of the base."""
    target = f"{root}/{unit}"
    if is_folder:
        if not os.path.isdir(target):  # noqa: PTH112 - asked of many entries for every file
            stem = target
        elif os.path.exists(f"{target}/__init__.py"):  # noqa: PTH110
            stem = f"{target}/__init__"
        elif f"{unit}/__init__.py" in staged and unit.isidentifier() and _holds_modules(target):
            # A regular package on a later entry of the path hides every part of a namespace of that name.
            return ModuleCollision(f"{unit}/__init__.py", target)
        else:
            return None  # two namespaces, or a folder of data: what lies in them is looked at by itself
    else:
        stem = f"{root}/{unit.rpartition('/')[0]}/{name_module(unit.rpartition('/')[2])}".replace("//", "/")
    met = (candidate for candidate in _find_modules(stem) if candidate not in yielding)
    return next((ModuleCollision(unit, candidate) for candidate in met), None)


def _holds_modules(folder: str) -> bool:
    return any(name.endswith(MODULE_SUFFIXES) for _, _, names in os.walk(folder) for name in names)


def _find_modules(stem: str) -> list[str]:
    """Return what a module name leads to in the base: a file, or a package."""
    folder, _, module = stem.rpartition("/")
    found = [f"{stem}.py"] if os.path.exists(f"{stem}.py") else []  # noqa: PTH110
    if os.path.exists(f"{stem}/__init__.py"):  # noqa: PTH110
        found.append(f"{stem}/__init__.py")
    if not found and os.path.isdir(folder):  # noqa: PTH112
        found += [
            entry.path
            for entry in os.scandir(folder)
            if entry.name.startswith(f"{module}.") and entry.name.endswith((".so", ".pyd"))
        ]
    return found
