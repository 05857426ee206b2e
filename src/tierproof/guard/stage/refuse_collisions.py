"""Refuses modules whose names Python itself or an installed package already uses."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence

from tierproof.guard.capture.inventory import PackageFiles
from tierproof.guard.capture.module_collisions import find_module_collision, is_importable, name_module
from tierproof.guard.capture.stray_modules import STRAY_MODULES
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.judge.protected import is_accelerator
from tierproof.guard.judge.ways import RUN_ISOLATED

# Python runs these at every start, from wherever they lie on the path.
_STARTUP = frozenset({"sitecustomize", "usercustomize"})


def refuse_names(packages: Mapping[str, PackageFiles]) -> None:
    """Refuse start-up modules, `.pth` files and names of the standard library.

    Raises:
        InstallError: the message names the package and the file.
    """
    for name, files in packages.items():
        backport = _find_backport(name, files)
        for path in files.files:
            top, _, rest = path.partition("/")
            module = name_module(top) if not rest else top
            if not rest and path.endswith(".pth"):
                raise _refusal(name, f"the path file {path}, which Python runs at every start")
            if module in _STARTUP:
                raise _refusal(name, f"{path}, which Python runs at every start")
            if module and is_accelerator(module):
                raise _refusal(name, f"{path}, and tierproof never adds that library to a running kernel")
            if module not in sys.stdlib_module_names or module in STRAY_MODULES or module == backport:
                continue
            if is_importable(path):
                raise _refusal(name, f"{path}, which has the name of a standard library module")


def _find_backport(name: str, files: PackageFiles) -> str:
    """The standard library module that a package brings to older Pythons under its own name; empty if it is none.

    Requirements without a marker ask for such packages on every Python. Nothing imports them: a generation lies
    behind the standard library on sys.path.
    """
    tops = {name_module(top) if not rest else top for top, _, rest in (p.partition("/") for p in files.files)}
    modules = {top for top in tops if top and not top.endswith(".dist-info")}
    return name if modules == {name} and name in sys.stdlib_module_names else ""


def refuse_collisions(
    packages: Mapping[str, PackageFiles], roots: Sequence[str], yielding: Collection[str]
) -> None:
    """Refuse modules that would extend, or stand in for, a package of the base.

    A plan finds most of these before anything is fetched; this is the check of the files themselves.

    Args:
        packages: those that are new in a staged generation.
        roots: the base's folders on sys.path.
        yielding: absolute paths of base files that a shadow may override.

    Raises:
        InstallError: the message names both files.
    """
    staged = frozenset(path for files in packages.values() for path in files.files)
    for name, files in packages.items():
        found = find_module_collision(files.files, roots, yielding, staged)
        if found is not None:
            raise InstallError(
                f"refused: {name} contains {found.unit}, which collides with the installed {found.path}",
                hint=f"Two packages cannot share a module name. {RUN_ISOLATED}",
            )


def _refusal(name: str, what: str) -> InstallError:
    return InstallError(
        f"refused: {name} contains {what}",
        hint=f"This file would affect every Python process of this environment. Run the code that needs {name} in a "
        "process of its own: use `tp.isolated`.",
    )
