"""How Colab publishes what its images hold: the repository googlecolab/backend-info.

Each hardware has a freeze list and a file about its system, under names that were not always the same. The README
names the pinned runtimes, each with the commit that shows it. Every other commit shows the image of its day, one
or two days before users see it; the last change of a list in a month stands for the month.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

REPOSITORY_URL = "https://github.com/googlecolab/backend-info"
README = "README.md"
SERVICE = "colab"

_ENDS: Mapping[str, tuple[str, ...]] = {
    "cpu": ("", "-cpu", ".cpu"),
    "gpu": (".gpu", "-gpu"),
    "tpu": (".tpu", "-tpu"),
}
LISTS: Mapping[str, tuple[str, ...]] = {
    hardware: tuple(f"pip-freeze{end}.txt" for end in ends) for hardware, ends in _ENDS.items()
}
SYSTEM_FILES: Mapping[str, tuple[str, ...]] = {
    hardware: tuple(f"os-info{end}.txt" for end in ends) for hardware, ends in _ENDS.items()
}

_HEADING = re.compile(r"^#{2,6}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
_VERSION = re.compile(r"20\d\d\.\d\d\Z")
_COMMIT = re.compile(r"/(?:tree|commit|blob)/([0-9a-f]{40})\b")
_PYTHON = re.compile(r"^[\s*-]*Python\s+(3(?:\.\d+){1,2})\b", re.MULTILINE)
_SYSTEM = re.compile(r"^[\s*-]*((?:Ubuntu|Debian)\b[^\n]*?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PinnedRuntime:
    """A runtime version that users of Colab can choose: what the README says of it."""

    version: str
    commit: str
    python: str = ""
    os: str = ""

    @property
    def name(self) -> str:
        """The image's name, `colab:2026.01` for one."""
        return f"{SERVICE}:{self.version}"


@dataclass(frozen=True, slots=True)
class ListChange:
    """A commit that changed a freeze list.

    Attributes:
        hardware: whose list.
        path: of the list.
        commit: its full hash.
        at_s: when, in seconds since 1970.
    """

    hardware: str
    path: str
    commit: str
    at_s: int

    @property
    def date(self) -> str:
        """The day in UTC, ISO."""
        return to_date(self.at_s)


def to_date(at_s: int) -> str:
    """Give the day of a moment in UTC, ISO; the last day of the calendar for what lies behind it."""
    try:
        return datetime.fromtimestamp(at_s, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return date.max.isoformat()


def name_month(date: str) -> str:
    """Give the name of the image of a month, `colab:2026-08` for one, from an ISO date."""
    return f"{SERVICE}:{date[:7]}"


def parse_readme(text: str) -> tuple[PinnedRuntime, ...]:
    """Give the pinned runtimes that a README names, in its order; one without a commit is left out."""
    found: dict[str, PinnedRuntime] = {}
    _, *parts = _HEADING.split(text)  # each heading with the section below it
    for heading, section in zip(parts[::2], parts[1::2], strict=True):
        commit = _COMMIT.search(section)
        if _VERSION.match(heading) and commit:
            python, system = parse_system(section)
            found.setdefault(heading, PinnedRuntime(heading, commit[1], python, system))
    return tuple(found.values())


def parse_system(text: str) -> tuple[str, str]:
    """Give Python and system that an os-info file or a section of the README names; each may be empty."""
    bare = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    python, system = _PYTHON.search(bare), _SYSTEM.search(bare)
    return (python[1] if python else "", system[1] if system else "")


def choose_monthly(changes: Iterable[ListChange]) -> tuple[ListChange, ...]:
    """Give the last change of each month and hardware, the newest first.

    Args:
        changes: the newest first, as a log shows them.
    """
    chosen: dict[tuple[str, str], ListChange] = {}
    for change in changes:
        chosen.setdefault((change.date[:7], change.hardware), change)
    return tuple(sorted(chosen.values(), key=lambda each: (each.date, each.hardware), reverse=True))


def find_hardware(path: str) -> str:
    """Return the hardware whose freeze list has this path; empty if it is not a freeze list."""
    return next((hardware for hardware, names in LISTS.items() if path in names), "")
