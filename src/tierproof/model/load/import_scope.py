"""Import the user's files as Python would run them, and restore the import system afterwards."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType, TracebackType


class ImportScope:
    """A context in which files of `folders` can be imported; it can be entered again.

    Inside, the folders come first on `sys.path` (as for `python FILE`) and no bytecode is written. On
    leaving, the modules that came from these folders are taken out of `sys.modules` and kept here;
    entering again puts them back, so that an import inside a `forward` finds the same modules. Modules
    from elsewhere, such as installed packages, stay: many cannot be imported twice.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders = tuple(str(folder) for folder in folders)
        self._modules: dict[str, ModuleType] = {}
        self._added: list[str] = []
        self._known: frozenset[str] = frozenset()
        self._wrote_bytecode = True

    def __enter__(self) -> ImportScope:
        self._known = frozenset(sys.modules)
        self._added = [folder for folder in self._folders if folder not in sys.path]
        sys.path[:0] = self._added
        for name, module in self._modules.items():
            sys.modules.setdefault(name, module)
        self._wrote_bytecode = not sys.dont_write_bytecode
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.dont_write_bytecode = not self._wrote_bytecode
        for name in sorted(set(sys.modules) - self._known):
            module = sys.modules[name]
            if name in self._modules or self._owns(module):
                self._modules[name] = module
                del sys.modules[name]
        for folder in self._added:
            if folder in sys.path:
                sys.path.remove(folder)
            sys.path_importer_cache.pop(folder, None)

    def register(self, module: ModuleType) -> None:
        """Make `module` importable by its name for as long as the scope is entered."""
        self._modules[module.__name__] = module
        sys.modules[module.__name__] = module

    def discard(self, module: ModuleType) -> None:
        """Forget a module whose code failed half-way."""
        self._modules.pop(module.__name__, None)
        sys.modules.pop(module.__name__, None)

    def _owns(self, module: ModuleType) -> bool:
        """Whether the module was found through a folder that this scope added.

        An environment inside the folder (`.venv/…/site-packages`) is on `sys.path` itself, and closer.
        """
        location = _location(module)
        if location is None:
            return False
        holders = [entry for entry in sys.path if entry and location.is_relative_to(entry)]
        return bool(holders) and max(holders, key=len) in self._added


def _location(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return Path(file)
    for folder in getattr(module, "__path__", ()):  # a namespace package has no file
        return Path(folder)
    return None
