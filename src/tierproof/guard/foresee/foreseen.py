"""The predicted effect of an install command."""

from __future__ import annotations

from dataclasses import dataclass, field

from packaging.version import InvalidVersion, Version

from tierproof.core.credentials import hide_credentials
from tierproof.core.json_value import JsonValue
from tierproof.guard.commands.gap import Gap
from tierproof.guard.commands.pip_command import PipCommand
from tierproof.guard.resolve.lock import LockedPackage


@dataclass(frozen=True, slots=True)
class Change:
    """An installed package that the command would replace or remove.

    Attributes:
        name: normalised.
        installed: the version on disk.
        version: what would take its place: a version, bounds (`==2.3.4`) or a source where no resolution told
            more; empty if nothing would.
        loaded: this process has it loaded.
        native: the new version ships compiled code.
    """

    name: str
    installed: str
    version: str
    loaded: bool
    native: bool = False

    @property
    def is_major(self) -> bool:
        """Whether the first number of the version changes, or the package goes."""
        try:
            new = Version(self.version.removeprefix("=="))
            return (new.epoch, new.major) != ((old := Version(self.installed)).epoch, old.major)
        except InvalidVersion:
            return not self.version

    @property
    def rank(self) -> tuple[bool, bool, str]:
        """Sorts what matters most to the front: what is loaded, then native and major changes."""
        return not self.loaded, not (self.native or self.is_major), self.name

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
            "native": self.native,
        }


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The predicted effect of a command on this environment.

    Attributes:
        command: as read.
        changes: installed packages that would be replaced or removed.
        added: packages that would come new, as `name version`.
        harmless: why it cannot change a loaded package; empty if that needed a prediction.
        gaps: what could not be predicted; none if everything was.
        refused: why pip refuses the command and changes nothing; empty if it does not, as far as is known.
        brought: what it would put on disk, from which the next command is predicted.
        duration_s: wall time in seconds.
    """

    command: PipCommand
    changes: tuple[Change, ...] = ()
    added: tuple[str, ...] = ()
    harmless: str = ""
    gaps: tuple[Gap, ...] = ()
    refused: str = ""
    brought: tuple[LockedPackage, ...] = field(default=(), compare=False, repr=False)
    duration_s: float = 0.0

    @property
    def unforeseen(self) -> str:
        """What could not be predicted, in one sentence; empty if everything was."""
        return "; ".join(gap.describe() for gap in self.gaps)

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
            "not_worked_out": [gap.to_dict() for gap in self.gaps],
            "refused": self.refused,
            "duration_s": self.duration_s,
        }
