"""Empty modules in place of packages that cannot be imported here and that the models do not use."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, ClassVar


class _AnyName(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _make_class(name)


def _make_class(name: str) -> type:
    """A class that can be subclassed, called with anything, and asked for any attribute; it does nothing."""
    return _AnyName(
        name,
        (),
        {"__init__": lambda *_, **__: None, "__call__": lambda _, *given, **__: next(iter(given), None)},
    )


class _EmptyModule(ModuleType):
    __path__: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _make_class(name)


class StandInFinder(MetaPathFinder, Loader):
    """Finds each named package and all that is below it as empty modules."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        if fullname.partition(".")[0] not in self._names:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _EmptyModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is in it."""


def stand_in_for(names: Sequence[str]) -> None:
    """Let the named packages be imported as empty modules in this process."""
    sys.meta_path.insert(0, StandInFinder(names))
