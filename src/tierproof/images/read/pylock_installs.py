"""A lock file of PEP 751 as one install: its packages, each at its version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tierproof.errors import UsageError
from tierproof.guard.commands.pip_command import Action, PipCommand, Program
from tierproof.guard.resolve.lock import find_url
from tierproof.images.read.found_install import FoundInstall
from tierproof.images.read.toml_document import read_toml

_EXPECTED = "Pass a pylock.toml (PEP 751), as `uv export --format pylock.toml` writes it."


def read_pylock(path: Path) -> FoundInstall:
    """Read `path`.

    Raises:
        UsageError: it cannot be read, or is not a lock file.
    """
    document = read_toml(path)
    packages = document.get("packages")
    if "lock-version" not in document or not isinstance(packages, list):
        raise UsageError(
            f"{path} is not a lock file: it has no `lock-version` or no `packages`",
            hint=_EXPECTED,
        )
    lines = tuple(_spell(entry, number, path) for number, entry in enumerate(packages, 1))
    if not lines:
        raise UsageError(f"{path} lists no packages", hint=_EXPECTED)
    return FoundInstall(PipCommand(Program.PIP, Action.INSTALL, lines, text=path.name), path.name)


def _spell(entry: Any, number: int, path: Path) -> str:
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, str):
        raise UsageError(f"{path}: package {number} has no name", hint=_EXPECTED)
    marker = f" ; {entry['marker']}" if isinstance(entry.get("marker"), str) else ""
    archive = entry.get("archive")
    if isinstance(archive, dict) and (url := find_url(archive)):
        return f"{name} @ {url}{marker}"
    if isinstance(vcs := entry.get("vcs"), dict) and vcs.get("url"):
        return f"{name} @ {vcs.get('type', 'git')}+{vcs['url']}@{vcs.get('commit-id', '')}{marker}"
    if isinstance(entry.get("version"), str):
        return f"{name}=={entry['version']}{marker}"
    raise UsageError(f"{path}: package {name} has no version, URL or repository", hint=_EXPECTED)
