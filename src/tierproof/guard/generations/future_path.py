"""The `sys.path` that a fresh process will have once a staged generation is activated."""

from __future__ import annotations

import os
from pathlib import Path

from tierproof.guard.generations.activation import (
    choose_path_file,
    find_path_files,
    measure_child_path,
    read_present,
)
from tierproof.guard.generations.generation import Position
from tierproof.guard.generations.generation_store import GenerationStore


def foresee_path(store: GenerationStore, site: Path, position: Position) -> list[str]:
    """Return the `sys.path` that a fresh process will have once `site` is activated."""
    child = list(measure_child_path())
    present = next((n for n, entry in enumerate(child) if store.find_by_site(entry) is not None), None)
    files = find_path_files()
    target = choose_path_file(position, files)
    folder = str(target.parent) if target is not None else ""
    old = read_present(store, files)
    if present is not None and old is not None and old.file == target:
        child[present] = str(site)
        return child
    path = [entry for entry in child if store.find_by_site(entry) is None]
    sites = [n for n, entry in enumerate(path) if os.path.realpath(entry) == os.path.realpath(folder)]
    if sites:
        path.insert(sites[0] + 1, str(site))
    elif position is Position.FRONT:
        roots = [n for n, entry in enumerate(path) if Path(entry).name in ("site-packages", "dist-packages")]
        path.insert(roots[0] if roots else len(path), str(site))
    else:
        path.append(str(site))
    return path
