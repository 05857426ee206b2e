"""Packages without `__init__.py` (`google`, `nvidia`, …) of which the layer and the base hold a part each.

Python would give the base's regular package the precedence over the layer's part, or, where a `.pth` file has
made the namespace already, would never look into the layer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

_DEEPEST = 4


def adopt_namespaces(layer: Sequence[str]) -> None:
    """Put the layer's parts of shared namespaces in front of the base's, now and at later imports."""
    parts = {name: str(folder) for entry in layer for name, folder in _iterate_parts(Path(entry), "", 0)}
    for name, folder in parts.items():
        path = getattr(sys.modules.get(name), "__path__", None)
        if path is not None and folder not in path:
            sys.modules[name].__path__ = [folder, *path]
    sys.meta_path.insert(0, _LayerFirst(parts))


class _LayerFirst(MetaPathFinder):
    """Finds the base's regular package and puts the layer's part in front of its path."""

    def __init__(self, parts: dict[str, str]) -> None:
        self._parts = parts

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec only where the base's package is regular; else Python joins the parts by itself."""
        folder = self._parts.get(fullname)
        if folder is None:
            return None
        here = Path(folder).parent
        entries = [entry for entry in (sys.path if path is None else path) if Path(entry) != here]
        spec = PathFinder.find_spec(fullname, entries, target)
        if spec is None or spec.loader is None or spec.submodule_search_locations is None:
            return None
        if spec.has_location:
            spec.submodule_search_locations.insert(0, folder)
            return spec
        return None


def _iterate_parts(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, Path]]:
    if depth == _DEEPEST or not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry.name.isidentifier() and entry.is_dir() and not (entry / "__init__.py").exists():
            yield prefix + entry.name, entry
            yield from _iterate_parts(entry, f"{prefix}{entry.name}.", depth + 1)
