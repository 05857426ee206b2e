"""Whether an environment's added packages lie in another folder than its own: it was moved, or HOME was another."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.read_bounded import read_bounded
from tierproof.guard.system.path_file import read_named_folders

_IDENTITY = "environment.json"


@dataclass(frozen=True, slots=True)
class NamedFolder:
    """The folder of an environment that a path file names.

    Attributes:
        file: the path file.
        folder: the environment's folder, in which a generation of that name lies or lay.
        refusal: why it is not the present environment's; empty if it is.
    """

    file: Path
    folder: Path
    refusal: str = ""


def find_named_folder(own: Path, files: Iterable[Path], prefix: str, cache_tag: str) -> NamedFolder | None:
    """Find the folder that an environment's path files name; None if they name none but `own`.

    Args:
        own: the folder that goes by the environment's prefix.
        files: its path files, those first that come first on sys.path.
        prefix: of the environment, resolved.
        cache_tag: of its interpreter.
    """
    for file in files:
        for entry in read_named_folders(file):
            path = Path(entry)
            if path.name != "site" or path.parents[1].name != "generations":
                continue
            folder = path.parents[2]
            if os.path.realpath(folder) == os.path.realpath(own):
                return None
            return NamedFolder(file, folder, _find_refusal(folder, own, file, prefix, cache_tag))
    return None


def note_identity(folder: Path, prefix: str, cache_tag: str, file: Path) -> None:
    """Note whose folder it is, and which path file names it, so that a moved environment finds it again.

    Raises:
        OutputError: it cannot be written.
    """
    identity = {"prefix": prefix, "cache_tag": cache_tag, "path_file": str(file)}
    if _read_identity(folder) != identity:
        write_text_atomically(folder / _IDENTITY, json.dumps(identity, indent=1))


def _find_refusal(folder: Path, own: Path, file: Path, prefix: str, cache_tag: str) -> str:
    try:
        owner = folder.stat().st_uid
        (folder / "generations").stat()
    except OSError:
        return "it does not exist, or cannot be read"
    if hasattr(os, "geteuid") and owner != os.geteuid():
        return "it belongs to another user"
    if not os.access(folder, os.W_OK | os.X_OK):
        return "it is not writable"
    if folder.name == own.name:  # the same environment, reached with another HOME or data folder
        return ""
    return _find_other_environment(folder, file, prefix, cache_tag)


def _find_other_environment(folder: Path, file: Path, prefix: str, cache_tag: str) -> str:
    identity = _read_identity(folder)
    if identity.get("cache_tag") != cache_tag:
        return "it belongs to another environment"
    home, known = identity.get("prefix", ""), Path(identity.get("path_file", ""))
    if home == prefix or not Path(home).exists():  # moved
        return ""
    if known == file:
        return f"it belongs to the environment in {home}, which has the same path file"
    if any(path.startswith(f"{folder}{os.sep}") for path in read_named_folders(known)):
        return f"it belongs to the environment in {home}, of which this one is a copy"
    return ""


def _read_identity(folder: Path) -> dict[str, str]:
    try:
        document = json.loads(read_bounded(folder / _IDENTITY))
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in document.items()} if isinstance(document, dict) else {}
