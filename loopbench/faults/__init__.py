"""All planted faults, one file for each class; the file's name is the class."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace

from loopbench.fault import Fault


def load_faults() -> tuple[Fault, ...]:
    """All faults in a fixed order, each with its class.

    Raises:
        ValueError: two faults have one name.
    """
    found: list[Fault] = []
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        found += [replace(fault, kind=info.name.replace("_", " ")) for fault in module.FAULTS]
    names = [fault.name for fault in found]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"faults of one name: {sorted(doubled)}")
    return tuple(found)
