"""The result of an install, an uninstall, a rollback or a recovery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.core.plain_text import clean_text
from tierproof.guard.generations.launchers import Launchers
from tierproof.guard.judge.plan import AddedPackage, Plan

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class Receipt:
    """The result of a change to the added packages.

    Attributes:
        action: `install`, `uninstall`, `rollback` or `recover`.
        generation: id of the present generation; empty if no package is added any more.
        previous: id of the generation before; empty if there was none.
        added: packages that are new or have another version.
        removed: normalised names of removed packages.
        path_entry: the folder on `sys.path`; empty if there is none.
        session_only: visible in the calling process only, because this interpreter has no user site-packages.
        restart_needed: the calling process still runs the previous generation.
        launchers: console scripts.
        notes: further remarks.
        in_process: the change was made visible in the calling process.
        plan: of an install; None otherwise.
        parts_s: wall time of each part in seconds.
        duration_s: wall time in seconds.
    """

    action: str
    generation: str
    previous: str
    added: tuple[AddedPackage, ...] = ()
    removed: tuple[str, ...] = ()
    path_entry: str = ""
    session_only: bool = False
    restart_needed: bool = False
    launchers: Launchers = field(default_factory=Launchers)
    notes: tuple[str, ...] = ()
    in_process: bool = False
    plan: Plan | None = None
    parts_s: Mapping[str, float] = field(default_factory=dict)
    duration_s: float = 0.0

    @property
    def changed(self) -> bool:
        """False if everything was already in place."""
        return self.generation != self.previous

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the `--json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "action": self.action,
            "ok": True,
            "changed": self.changed,
            "generation": self.generation,
            "previous": self.previous,
            "added": [item.to_dict() for item in self.added],
            "removed": list(self.removed),
            "path_entry": self.path_entry,
            "session_only": self.session_only,
            "restart_needed": self.restart_needed,
            "launchers": {
                "folder": self.launchers.folder,
                "created": list(self.launchers.created),
                "taken": list(self.launchers.taken),
            },
            "notes": list(self.notes),
            "plan": None if self.plan is None else self.plan.to_dict(),
            "parts_s": dict(self.parts_s),
            "duration_s": self.duration_s,
        }

    def describe(self) -> str:
        """Return the result as a few lines of text."""
        lines = [f"  + {item.name} {item.version}" for item in self.added if self.changed]
        lines += [f"  - {name}" for name in self.removed]
        head = f"{self.action}: done in {self.duration_s:.1f} s"
        if not self.changed:
            head = f"{self.action}: nothing to do; everything is already in place"
        elif not self.in_process:
            head += ". New processes see the change"
        elif self.restart_needed:
            head += (
                ". New processes see the change; this kernel keeps its present packages until you restart it"
            )
        elif self.added:
            head += ". Usable now, without a restart"
        if self.launchers.created and self.changed:
            lines.append(f"  console scripts in {self.launchers.folder}: {', '.join(self.launchers.created)}")
        if self.launchers.taken:
            lines.append(
                f"  not overwritten, because tierproof did not create them: {', '.join(self.launchers.taken)} "
                f"in {self.launchers.folder}"
            )
        lines += [f"  {note}" for note in self.notes]
        return clean_text("\n".join([f"{head}.", *lines]))

    def __str__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        return show_plainly(self.describe())
