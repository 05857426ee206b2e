"""Refuses modules whose names Python itself or an installed package already uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from tierproof.guard.capture.inventory import PackageFiles
from tierproof.guard.capture.stray_modules import STRAY_MODULES
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.judge.protected import is_accelerator
from tierproof.guard.judge.ways import RUN_ISOLATED

# Python runs these at every start, from wherever they lie on the path.
_STARTUP = frozenset({"sitecustomize", "usercustomize"})
_MODULE_SUFFIXES = (".py", ".so", ".pyd", ".pyc")


def refuse_names(packages: Mapping[str, PackageFiles]) -> None:
    """Refuse start-up modules, `.pth` files and names of the standard library.

    Raises:
        InstallError: the message names the package and the file.
    """
    for name, files in packages.items():
        backport = _find_backport(name, files)
        for path in files.files:
            top, _, rest = path.partition("/")
            module = _module_name(top) if not rest else top
            if not rest and path.endswith(".pth"):
                raise _refusal(name, f"the path file {path}, which Python runs at every start")
            if module in _STARTUP:
                raise _refusal(name, f"{path}, which Python runs at every start")
            if module and is_accelerator(module):
                raise _refusal(name, f"{path}, and tierproof never adds that library to a running kernel")
            if module not in sys.stdlib_module_names or module in STRAY_MODULES or module == backport:
                continue
            if _is_importable(path):
                raise _refusal(name, f"{path}, which has the name of a standard library module")


def _find_backport(name: str, files: PackageFiles) -> str:
    """The standard library module that a package brings to older Pythons under its own name; empty if it is none.

    Requirements without a marker ask for such packages on every Python. Nothing imports them: a generation lies
    behind the standard library on sys.path.
    """
    tops = {
        _module_name(top) if not rest else top for top, _, rest in (p.partition("/") for p in files.files)
    }
    modules = {top for top in tops if top and not top.endswith(".dist-info")}
    return name if modules == {name} and name in sys.stdlib_module_names else ""


def refuse_collisions(
    site: Path,
    packages: Mapping[str, PackageFiles],
    roots: Sequence[str],
    yielding: Collection[str],
) -> None:
    """Refuse modules that would extend, or stand in for, a package of the base.

    Args:
        site: the staged generation's importable folder.
        packages: those that are new in it.
        roots: the base's folders on sys.path.
        yielding: absolute paths of base files that a shadow may override.

    Raises:
        InstallError: the message names both files.
    """
    for name, files in packages.items():
        seen: set[str] = set()
        for path in files.files:
            parts = path.split("/")
            if parts[0] in STRAY_MODULES or not _is_importable(path) or parts[0].endswith(".dist-info"):
                continue
            for depth in range(1, len(parts) + 1):
                unit = "/".join(parts[:depth])
                if unit in seen:
                    continue
                seen.add(unit)
                for root in roots:
                    _refuse_unit(name, site, root, unit, yielding)


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


def _refuse_unit(name: str, site: Path, root: str, unit: str, yielding: Collection[str]) -> None:
    """Refuse one file or folder of the addition that meets another of the base."""
    target = f"{root}/{unit}"
    if (site / unit).is_dir():
        if not os.path.isdir(target):  # noqa: PTH112 - asked of many entries for every file
            stem = target
        elif os.path.exists(f"{target}/__init__.py"):  # noqa: PTH110
            stem = f"{target}/__init__"
        elif (site / unit / "__init__.py").exists() and unit.isidentifier() and _holds_modules(target):
            # A regular package on a later entry of the path hides every part of a namespace of that name.
            raise _collision(name, f"{unit}/__init__.py", target)
        else:
            return  # two namespaces, or a folder of data: what lies in them is looked at by itself
    else:
        stem = f"{root}/{unit.rpartition('/')[0]}/{_module_name(unit.rpartition('/')[2])}".replace("//", "/")
    for candidate in _find_modules(stem):
        if candidate in yielding:
            continue
        raise _collision(name, unit, candidate)


def _collision(name: str, unit: str, candidate: str) -> InstallError:
    return InstallError(
        f"refused: {name} contains {unit}, which collides with the installed {candidate}",
        hint=f"Two packages cannot share a module name. {RUN_ISOLATED}",
    )


def _holds_modules(folder: str) -> bool:
    return any(name.endswith(_MODULE_SUFFIXES) for _, _, names in os.walk(folder) for name in names)


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


def _is_importable(path: str) -> bool:
    return path.endswith(_MODULE_SUFFIXES)


def _module_name(file: str) -> str:
    return file.partition(".")[0] if file.endswith(_MODULE_SUFFIXES) else ""


def _refusal(name: str, what: str) -> InstallError:
    return InstallError(
        f"refused: {name} contains {what}",
        hint=f"This file would affect every Python process of this environment. Run the code that needs {name} in a "
        "process of its own: use `tp.isolated`.",
    )
