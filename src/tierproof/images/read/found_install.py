"""An install command that was found in a target, and its place there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tierproof.guard.commands.pip_command import PipCommand


class TargetKind(StrEnum):
    """What the user named."""

    REQUIREMENTS = "requirements"
    NOTEBOOK = "notebook"
    REQUIREMENTS_FILE = "requirements-file"
    PYLOCK = "pylock"


@dataclass(frozen=True, slots=True)
class FoundInstall:
    """An install to judge.

    Attributes:
        command: as read; relative paths in it start from its `folder`.
        text: as written, without credentials.
        cell: number among all cells of the notebook, from 1; None outside of one.
        line: number in that cell or file, from 1.
        conditional: it is in a condition, a loop or a function, and may not run.
    """

    command: PipCommand
    text: str
    cell: int | None = None
    line: int | None = None
    conditional: bool = False


@dataclass(frozen=True, slots=True)
class UnreadInstall:
    """A possible install that could not be read completely; `is_judged`: it is judged as far as it was read."""

    text: str
    reason: str
    cell: int | None = None
    line: int | None = None
    is_judged: bool = False


@dataclass(frozen=True, slots=True)
class PreflightTarget:
    """What is to be judged: requirements as typed, or all that a file asks for.

    Attributes:
        name: as the user calls it.
        kind: what it is.
        installs: in the order in which they run.
        unread: what could not be read, with the reason.
    """

    name: str
    kind: TargetKind
    installs: tuple[FoundInstall, ...]
    unread: tuple[UnreadInstall, ...] = ()
