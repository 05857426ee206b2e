"""Read what the user named: requirements, a notebook, a requirements file or a lock."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tierproof.core.credentials import hide_credentials
from tierproof.errors import UsageError
from tierproof.guard.commands.pip_command import Action, PipCommand, Program
from tierproof.guard.commands.requirement import parse_requirements
from tierproof.guard.commands.requirement_lines import RequirementLines, read_requirement_lines
from tierproof.images.lists.hosted_service import HostedService
from tierproof.images.read.found_install import FoundInstall, PreflightTarget, TargetKind, UnreadInstall
from tierproof.images.read.notebook_file import read_notebook
from tierproof.images.read.notebook_installs import find_installs
from tierproof.images.read.pylock_installs import read_pylock

_FILE = re.compile(r"\.(ipynb|txt|in|toml)\Z", re.IGNORECASE)


def read_targets(words: Sequence[str], *, folder: Path | None = None) -> tuple[PreflightTarget, ...]:
    """Read what was named: each file is a target, and all requirements together are one.

    Args:
        words: requirements, and paths of notebooks, requirements files and locks.
        folder: what relative paths are relative to; the current folder by default.

    Raises:
        UsageError: nothing is named, a file cannot be read, or a requirement cannot.
    """
    base = folder or Path.cwd()
    targets: list[PreflightTarget] = []
    typed: list[str] = []
    for word in words:
        if _FILE.search(word) and "://" not in word and " @ " not in word:
            targets.append(_read_file(word, base))
        else:
            typed.append(word)
    if typed or not targets:
        parse_requirements(typed, folder=base)
        command = PipCommand(
            Program.PIP, Action.INSTALL, tuple(typed), folder=str(base), text=" ".join(typed)
        )
        name = hide_credentials(" ".join(typed))
        targets.insert(0, PreflightTarget(name, TargetKind.REQUIREMENTS, (FoundInstall(command, name),)))
    return tuple(targets)


def _read_file(word: str, base: Path) -> PreflightTarget:
    path = base / Path(word).expanduser()
    if not path.is_file():
        raise UsageError(
            f"{word} is a folder, not a file" if path.is_dir() else f"there is no file {word}",
            hint="Pass a notebook (.ipynb), a requirements file (.txt, .in), a pylock.toml or requirements.",
        )
    suffix = path.suffix.lower()
    if suffix == ".ipynb":
        cells = read_notebook(path)

        def read(host: HostedService) -> tuple[tuple[FoundInstall, ...], tuple[UnreadInstall, ...]]:
            return find_installs(cells, path.parent, host)

        return PreflightTarget(word, TargetKind.NOTEBOOK, *read(HostedService()), read)
    if suffix == ".toml":
        return PreflightTarget(word, TargetKind.PYLOCK, (read_pylock(path),))
    lines = RequirementLines()
    read_requirement_lines(path, lines)
    if not lines.requirements:
        raise UsageError(f"{word} contains no requirements", hint="Write one requirement per line.")
    command = PipCommand(
        Program.PIP,
        Action.INSTALL,
        requirement_files=(path.name,),
        folder=str(path.parent),
        text=f"-r {word}",
    )
    return PreflightTarget(word, TargetKind.REQUIREMENTS_FILE, (FoundInstall(command, f"-r {word}"),))
