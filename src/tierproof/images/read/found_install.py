"""An install command that was found in a target, and its place there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tierproof.guard.commands.gap import Gap, GapReason
from tierproof.guard.commands.pip_command import PipCommand
from tierproof.images.lists.hosted_service import HostedService


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
        skipped: why it does not run on the machine; empty if it does, or may.
    """

    command: PipCommand
    text: str
    cell: int | None = None
    line: int | None = None
    conditional: bool = False
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class UnreadInstall:
    """A possible install that could not be read completely.

    Attributes:
        text: as written, without credentials.
        reason: why it could not be read.
        cell: as of a found install.
        line: as of a found install.
        is_judged: this is a remark: all that counts is judged.
        cause: of what kind it is.
        skipped: as of a found install.
    """

    text: str
    reason: str
    cell: int | None = None
    line: int | None = None
    is_judged: bool = False
    cause: GapReason = GapReason.RUNTIME
    skipped: str = ""

    @property
    def gap(self) -> Gap | None:
        """What is not judged because of it; None for a remark."""
        if self.is_judged or self.skipped:
            return None
        return Gap(self.cause, self.text, self.reason)


@dataclass(frozen=True, slots=True)
class PreflightTarget:
    """What is to be judged: requirements as typed, or all that a file asks for.

    Attributes:
        name: as the user calls it.
        kind: what it is.
        installs: in the order in which they run.
        unread: what could not be read, with the reason.
        read: reads it for one machine, where that decides what runs.
    """

    name: str
    kind: TargetKind
    installs: tuple[FoundInstall, ...]
    unread: tuple[UnreadInstall, ...] = ()
    read: Callable[[HostedService], tuple[tuple[FoundInstall, ...], tuple[UnreadInstall, ...]]] | None = (
        field(default=None, compare=False, repr=False)
    )

    def read_for(self, host: HostedService) -> PreflightTarget:
        """Return what it asks for on one machine."""
        if self.read is None:
            return self
        installs, unread = self.read(host)
        return replace(self, installs=installs, unread=unread)
