"""The report of a watch on one day, compared with the report before."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import show_plainly
from tierproof.core.plain_text import clean_text
from tierproof.errors import OutputError

FORMAT_VERSION = 1
_FILE = re.compile(r"\d{4}-\d{2}-\d{2}\.json\Z")


class VerdictChange(StrEnum):
    """How the verdict of a target on an image changed since the report before."""

    BREAKS = "breaks"
    MENDED = "mended"
    BROKEN = "still broken"
    FINE = "fine"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WatchEntry:
    """One target on one image.

    Attributes:
        subscription: its name.
        target: as named there.
        asked: the image as named there, such as `colab:latest`.
        image: the image that this means today.
        verdict: of the whole target.
        exit_code: as preflight's.
        change: since the report before.
        reason: why it is not safe to install; empty if it is.
    """

    subscription: str
    target: str
    asked: str
    image: str
    verdict: str
    exit_code: int
    change: VerdictChange
    reason: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same from report to report."""
        return self.subscription, self.target, self.asked

    def to_dict(self) -> dict[str, JsonValue]:
        """Give it as JSON."""
        return {
            "subscription": self.subscription,
            "target": self.target,
            "asked": self.asked,
            "image": self.image,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "change": self.change.value,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class WatchReport:
    """A day's report.

    Attributes:
        date: ISO.
        entries: in the order of the subscriptions.
        compared_with: the date of the report before; empty for a first one.
        notes: further remarks.
    """

    date: str
    entries: tuple[WatchEntry, ...]
    compared_with: str = ""
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where something newly breaks, else 2 where something could not be judged, else 0."""
        changes = {each.change for each in self.entries}
        return 1 if VerdictChange.BREAKS in changes else 2 if VerdictChange.UNKNOWN in changes else 0

    def to_dict(self) -> dict[str, JsonValue]:
        """Give the `images watch --json` document."""
        return {
            "format_version": FORMAT_VERSION,
            "date": self.date,
            "compared_with": self.compared_with,
            "entries": [each.to_dict() for each in self.entries],
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> WatchReport:
        """Read what `to_dict` gave.

        Raises:
            ValueError, KeyError, TypeError: it is not such a document.
        """
        if document["format_version"] != FORMAT_VERSION:
            raise ValueError(f"unknown format {document['format_version']}")
        entries = tuple(
            WatchEntry(**{**each, "change": VerdictChange(each["change"])}) for each in document["entries"]
        )
        return cls(str(document["date"]), entries, str(document["compared_with"]), tuple(document["notes"]))

    def to_text(self) -> str:
        """Give it as lines of text, what breaks first."""
        since = f", compared with {self.compared_with}" if self.compared_with else ", the first report"
        lines = [f"Watched on {self.date}{since}: {self._count()}"]
        for change, entries in self._sorted():
            lines += ["", f"{change.value.capitalize()}:"]
            lines += [f"  {_describe(each)}" for each in entries]
        lines += ["", *(f"note: {each}" for each in self.notes)] if self.notes else []
        return clean_text("\n".join(lines))

    def to_markdown(self) -> str:
        """Give it as Markdown."""
        since = f"Compared with {self.compared_with}." if self.compared_with else "The first report."
        lines = [f"# Hosted images on {self.date}", "", f"{since} {self._count()}.", ""]
        for change, entries in self._sorted():
            lines += [f"## {change.value.capitalize()}", ""]
            lines += ["| target | image | verdict | why |", "|---|---|---|---|"]
            lines += [
                f"| {_escape(each.target)} | {_escape(each.image)} | {each.verdict} | {_escape(each.reason)} |"
                for each in entries
            ]
            lines.append("")
        lines += [f"- {each}" for each in self.notes]
        return clean_text("\n".join(lines)).rstrip() + "\n"

    def _repr_html_(self) -> str:
        return show_plainly(self.to_text())

    def _sorted(self) -> Sequence[tuple[VerdictChange, list[WatchEntry]]]:
        grouped = [
            (change, [each for each in self.entries if each.change is change]) for change in VerdictChange
        ]
        return [(change, entries) for change, entries in grouped if entries]

    def _count(self) -> str:
        return (
            ", ".join(f"{len(entries)} {change.value}" for change, entries in self._sorted())
            or "nothing watched"
        )


def read_last_report(folder: Path, before: str) -> tuple[WatchReport | None, tuple[str, ...]]:
    """Read the newest report of `folder` that is older than the day `before`, and say which could not be read."""
    notes: list[str] = []
    for path in sorted(folder.glob("*.json"), reverse=True):
        if not _FILE.match(path.name) or path.stem >= before:
            continue
        try:
            return WatchReport.from_dict(json.loads(path.read_text(encoding="utf-8"))), tuple(notes)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            notes.append(f"{path.name} is not a readable report ({error}); it was left unchanged")
    return None, tuple(notes)


def write_report(report: WatchReport, folder: Path) -> tuple[Path, Path]:
    """Write a report as `DATE.json` and `DATE.md`; a second report on one day replaces the first.

    Raises:
        OutputError: the folder cannot be written.
    """
    dt.date.fromisoformat(report.date)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot create {folder}: {error.strerror}", hint="Choose another folder with --report."
        ) from error
    paths = folder / f"{report.date}.json", folder / f"{report.date}.md"
    write_text_atomically(paths[0], json.dumps(report.to_dict(), indent=1) + "\n")
    write_text_atomically(paths[1], report.to_markdown())
    return paths


def _describe(entry: WatchEntry) -> str:
    why = f": {entry.reason}" if entry.reason else ""
    return f"{entry.target} on {entry.image}: {entry.verdict}{why}"


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
