"""The history and the present additions of an environment, as text and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.core.plain_text import clean_text
from tierproof.guard.generations.activation_history import Activation, read_history
from tierproof.guard.generations.generation_path_file import read_present
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.judge.unmet_bounds import list_required
from tierproof.guard.system.environment_folder import locate_environment_folder

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class History:
    """All activations, oldest first; `present` is the id of the generation that new processes see, or empty."""

    entries: tuple[Activation, ...]
    present: str
    gone: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the `history --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "present": self.present,
            "entries": [entry.to_dict() for entry in self.entries],
            "gone": list(self.gone),
        }

    def describe(self) -> str:
        """Return one line for each entry."""
        if not self.entries and self.present:
            return (
                "The history of this environment was deleted. The packages that are added to it are still there: "
                "`tierproof list` shows them."
            )
        if not self.entries:
            return "No packages have been added to this environment yet."
        last = max((e.number for e in self.entries if e.generation == self.present), default=0)
        lines = [self._describe_entry(entry, is_present=entry.number == last) for entry in self.entries]
        return clean_text("\n".join(lines))

    def _describe_entry(self, entry: Activation, *, is_present: bool) -> str:
        moment = datetime.fromtimestamp(entry.at, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M")
        marks = ["present"] if is_present else []
        marks += ["in one process only"] if entry.session_only else []
        marks += ["removed by gc"] if entry.generation in self.gone else []
        packages = ", ".join(entry.packages) or "nothing added"
        remark = f"  ({'; '.join(marks)})" if marks else ""
        what = f"{entry.action} {' '.join(entry.requested)}".strip()
        return f"{entry.number:>4}  {moment}  {what}: {packages}{remark}"

    def __str__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        return show_plainly(self.describe())


@dataclass(frozen=True, slots=True)
class Addition:
    """One added package; `requested_by` are the requirements, as typed, that it was added for."""

    name: str
    version: str
    requested_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Additions:
    """The packages of the present generation."""

    generation: str
    packages: tuple[Addition, ...]

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the `list --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "generation": self.generation,
            "packages": [
                {"name": each.name, "version": each.version, "requested_by": list(each.requested_by)}
                for each in self.packages
            ],
        }

    def describe(self) -> str:
        """Return one line for each package."""
        if not self.packages:
            return "No packages are added to this environment."
        lines = [
            f"{each.name} {each.version}  (for {', '.join(each.requested_by)})" for each in self.packages
        ]
        return clean_text("\n".join(lines))

    def __str__(self) -> str:
        return self.describe()

    def _repr_html_(self) -> str:
        return show_plainly(self.describe())


def list_history() -> History:
    """List the activations in this environment."""
    store = GenerationStore(locate_environment_folder())
    entries = read_history(store)
    present = read_present(store)
    known = set(store.list())
    gone = {entry.generation for entry in entries if entry.generation and entry.generation not in known}
    return History(entries, "" if present is None else present.id, tuple(sorted(gone)))


def list_additions() -> Additions:
    """List the packages of the present generation, and the requests they were added for.

    Raises:
        InstallError: the present generation cannot be read.
    """
    from tierproof.guard.capture.base import capture_base

    store = GenerationStore(locate_environment_folder())
    present = read_present(store)
    if present is None:
        return Additions("", ())
    generation = store.read(present.id)
    requires = list_required(store.site(present.id), capture_base())
    reached = {each.text: _reach(each.name, requires) for each in generation.requests}
    return Additions(
        generation.id,
        tuple(
            Addition(name, version, tuple(text for text, names in reached.items() if name in names))
            for name, version in sorted(generation.versions.items())
        ),
    )


def _reach(name: str, requires: dict[str, frozenset[str]]) -> set[str]:
    found: set[str] = set()
    open_ends = [name]
    while open_ends:
        each = open_ends.pop()
        if each not in found:
            found.add(each)
            open_ends += requires.get(each, ())
    return found
