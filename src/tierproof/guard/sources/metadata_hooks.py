"""Runs the hooks of PEP 517 that tell a project's metadata. A script: it runs in a confined process of its own.

`python -I -S metadata_hooks.py LIBRARIES PROJECT OUT BYTES SECONDS`: LIBRARIES holds what the build requires. Writes
OUT/requires.json (what the backend asks for besides) and, unless that has to be installed first, OUT/METADATA.
"""

from __future__ import annotations

import importlib
import json
import os
import site
import sys
import tomllib
from pathlib import Path
from typing import Any

_LEGACY = "setuptools.build_meta:__legacy__"


def limit(memory_bytes: int, seconds: int) -> None:
    """Limit this process and its children, each: memory, processor time, and the size of a file."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for what, most in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, memory_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def read_build_system(project: Path) -> tuple[list[str], str, list[str]]:
    """Return what the build requires, its backend, and the folders of the project that hold the backend."""
    try:
        document = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        document = {}
    system = document.get("build-system", {})
    backend = system.get("build-backend") or _LEGACY
    requires = system.get("requires", ["setuptools>=40.8.0"])
    return (
        [str(each) for each in requires],
        str(backend),
        [str(each) for each in system.get("backend-path", [])],
    )


def load_backend(name: str, places: list[str], project: Path) -> Any:
    """Import the backend: `module:object.attribute`."""
    sys.path[:0] = [str(project / place) for place in places]
    module, _, attributes = name.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    return found


def main(libraries: str, project: str, out: str) -> None:
    """Call the hooks in the project's folder."""
    site.addsitedir(libraries)
    sys.path.insert(0, sys.path.pop())  # before what the interpreter brings
    os.chdir(project)
    _, name, places = read_build_system(Path(project))
    backend = load_backend(name, places, Path(project))
    asked: list[str] = []
    if hasattr(backend, "get_requires_for_build_wheel"):
        asked = [str(each) for each in backend.get_requires_for_build_wheel()]
    known = Path(out) / "requires.json"
    before = json.loads(known.read_text(encoding="utf-8")) if known.exists() else []
    known.write_text(json.dumps(asked), encoding="utf-8")
    if [each for each in asked if each not in before]:
        return
    folder = Path(out) / "metadata"
    folder.mkdir(exist_ok=True)
    if hasattr(backend, "prepare_metadata_for_build_wheel"):
        info = folder / backend.prepare_metadata_for_build_wheel(str(folder))
        (Path(out) / "METADATA").write_bytes((info / "METADATA").read_bytes())
        return
    import zipfile

    wheel = folder / backend.build_wheel(str(folder))
    with zipfile.ZipFile(wheel) as archive:
        inside = next(each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        (Path(out) / "METADATA").write_bytes(archive.read(inside))


if __name__ == "__main__":
    limit(int(sys.argv[4]), int(sys.argv[5]))
    main(*sys.argv[1:4])
