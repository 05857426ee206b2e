"""The result of a diagnosis, as text, as JSON and as a table in a notebook."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import escape_html
from tierproof.core.plain_text import clean_text
from tierproof.guard.capture.broken_bounds import BrokenBound
from tierproof.guard.mend.torn import TornPackage

FORMAT_VERSION = 1
_SHOWN_BOUNDS = 5


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The torn packages of the diagnosed processes.

    Attributes:
        torn: one entry for each torn package of each process.
        checked: number of distributions that were checked.
        duration_s: wall time in seconds.
        notes: what could not be checked, or already differed at first sight.
        unmet: requirements that installed packages declare and that do not hold.
    """

    torn: tuple[TornPackage, ...]
    checked: int
    duration_s: float
    notes: tuple[str, ...] = ()
    unmet: tuple[BrokenBound, ...] = ()

    @property
    def healthy(self) -> bool:
        """True if no package is torn."""
        return not self.torn

    @property
    def exit_code(self) -> int:
        """0 = healthy, 1 = torn."""
        return 0 if self.healthy else 1

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the document of `doctor --json`."""
        return {
            "format_version": FORMAT_VERSION,
            "healthy": self.healthy,
            "torn": [each.to_dict() for each in self.torn],
            "checked": self.checked,
            "duration_s": self.duration_s,
            "notes": list(self.notes),
            "unmet": [bound.to_dict() for bound in self.unmet],
        }

    def to_text(self) -> str:
        """Return the diagnosis as plain lines."""
        if self.healthy:
            lines = [f"healthy: {self.checked} distributions checked in {self.duration_s:.2f} s"]
        else:
            names = ", ".join(dict.fromkeys(each.package for each in self.torn))
            lines = [f"{self._describe_torn()}: {names}"]
        for each in self.torn:
            codes = ", ".join(code.value for code in each.evidence)
            lines += ["", f"{each.package}  [{codes}]  remedy: {each.remedy.value}", f"  {each.detail}"]
        lines += [f"note: {note}" for note in self._list_notes()]
        return clean_text("\n".join(lines))

    def _describe_torn(self) -> str:
        replaced = any(each.loaded_version and each.loaded_version != each.disk_version for each in self.torn)
        meaning = (
            "another version in memory than on disk"
            if replaced
            else "the files on disk were changed or damaged"
        )
        return f"torn ({meaning})"

    def _list_notes(self) -> list[str]:
        told = [bound.describe() for bound in self.unmet[:_SHOWN_BOUNDS]]
        if len(self.unmet) > _SHOWN_BOUNDS:
            told.append(f"and {len(self.unmet) - _SHOWN_BOUNDS} more")
        unmet = [f"requirements that are not satisfied: {'; '.join(told)}"] if told else []
        return [*self.notes, *unmet]

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        head = "healthy" if self.healthy else self._describe_torn()
        rows = "".join(
            f"<tr>{_cell(each.package)}{_cell(each.loaded_version)}{_cell(each.disk_version)}"
            f"{_cell(', '.join(each.evidence))}{_cell(each.remedy.value)}{_cell(each.detail)}</tr>"
            for each in self.torn
        )
        titles = ("package", "loaded", "on disk", "evidence", "remedy", "what happened")
        table = f"<table><tr>{''.join(f'<th>{title}</th>' for title in titles)}</tr>{rows}</table>"
        notes = "".join(f"<p>{escape_html(note)}</p>" for note in self._list_notes())
        checked = f"<p><b>{head}</b>: {self.checked} distributions checked in {self.duration_s:.2f} s</p>"
        return checked + (table if self.torn else "") + notes


def _cell(text: str) -> str:
    return f"<td>{escape_html(text)}</td>"
