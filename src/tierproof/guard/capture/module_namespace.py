"""What a module holds, without running any code of it: anything may stand in `sys.modules`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from types import GetSetDescriptorType, ModuleType
from typing import Any

_OF_MODULES: Any = vars(ModuleType)["__dict__"]
_OF_CLASSES: Any = vars(type)["__dict__"]


def read_namespace(module: object) -> Mapping[str, object]:
    """Return the names that an object holds itself; neither its `__getattr__` nor a property of it runs."""
    if issubclass(type(module), ModuleType):
        return _OF_MODULES.__get__(module) or {}
    for each in type.mro(type(module)):
        slot = _OF_CLASSES.__get__(each).get("__dict__")
        if isinstance(slot, GetSetDescriptorType):
            return slot.__get__(module) or {}
    return {}


def iterate_modules() -> Iterator[tuple[str, object, Mapping[str, object]]]:
    """Yield the name of each registered module, the module, and what it holds; what has no name is left out."""
    registered: list[tuple[object, object]] = list(sys.modules.items())
    for name, module in registered:
        if issubclass(type(name), str):
            yield str.__str__(name), module, read_namespace(module)


def read_file(namespace: Mapping[str, object]) -> str:
    """Return the file that a module says it was loaded from; empty if it says none that could be one."""
    file = namespace.get("__file__")
    return file if type(file) is str and "\0" not in file else ""
