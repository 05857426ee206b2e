"""The predicted effect of an install command."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.core.credentials import hide_credentials
from tierproof.core.json_value import JsonValue
from tierproof.guard.commands.pip_command import PipCommand


@dataclass(frozen=True, slots=True)
class Change:
    """An installed package that the command would replace or remove.

    Attributes:
        name: normalised.
        installed: the version on disk.
        version: what would take its place: a version, bounds (`==2.3.4`) or a source where no resolution told
            more; empty if nothing would.
        loaded: this process has it loaded.
    """

    name: str
    installed: str
    version: str
    loaded: bool

    def describe(self) -> str:
        """Return it as `numpy 2.0.2 -> 2.3.4`."""
        return f"{self.name} {self.installed} -> {self.version or '(removed)'}"

    def to_dict(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "installed": self.installed,
            "version": self.version,
            "loaded": self.loaded,
        }


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The predicted effect of a command on this environment.

    Attributes:
        command: as read.
        changes: installed packages that would be replaced or removed.
        added: packages that would come new, as `name version`.
        harmless: why it cannot change a loaded package; empty if that needed a prediction.
        unforeseen: what could not be predicted, in one sentence; empty if everything was.
        duration_s: wall time in seconds.
    """

    command: PipCommand
    changes: tuple[Change, ...] = ()
    added: tuple[str, ...] = ()
    harmless: str = ""
    unforeseen: str = ""
    duration_s: float = 0.0

    @property
    def harms(self) -> tuple[Change, ...]:
        """The changes to what this process has loaded."""
        return tuple(change for change in self.changes if change.loaded)

    def to_dict(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        return {
            "command": hide_credentials(self.command.text),
            "changes": [change.to_dict() for change in self.changes],
            "added": list(self.added),
            "harmless": self.harmless,
            "unforeseen": self.unforeseen,
            "duration_s": self.duration_s,
        }
