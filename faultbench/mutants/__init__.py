"""All mutants, one file for each class of fault; the file's name is the class."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace

from faultbench.mutant import Mutant


def load_mutants() -> tuple[Mutant, ...]:
    """All mutants in a fixed order, each with its class.

    Raises:
        ValueError: two mutants have one name.
    """
    found: list[Mutant] = []
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        found += [replace(mutant, kind=info.name.replace("_", " ")) for mutant in module.MUTANTS]
    names = [mutant.name for mutant in found]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"mutants of one name: {sorted(doubled)}")
    return tuple(found)
