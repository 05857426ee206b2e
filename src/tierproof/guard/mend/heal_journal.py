"""The journal of a heal: the files to exchange, written before the first rename.

It lies in the heal's own folder inside the site directory, so on the same file system; the folder's name says
whose it is. While the journal stands, the exchange is neither done nor undone.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.guard.mend.swap import Unit
from tierproof.guard.system.process import PROC, parse_start_ticks

PREFIX = ".tierproof-heal-"
_NAME = "journal.json"
_FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class HealJournal:
    """One package's exchange.

    Attributes:
        package: normalised name.
        version: the one that is put back.
        replaced_version: the one that was there; empty for none.
        pid: of the process that has `version` loaded.
        start_ticks: when that process started, as the system counts; 0 if it does not say.
        units: in the order of their moves.
        owned: paths that the replaced version had installed.
    """

    package: str
    version: str
    replaced_version: str
    pid: int
    start_ticks: int
    units: tuple[Unit, ...]
    owned: tuple[str, ...]


def make_heal_folder(root: Path) -> Path:
    """Make the folder of a heal by this process inside `root`, with `stage` and `aside` in it.

    Raises:
        OSError: `root` cannot be written to.
    """
    pid = os.getpid()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{pid}-{read_start_ticks(pid)}-", dir=root))
    (folder / "stage").mkdir()
    (folder / "aside").mkdir()
    return folder


def find_heal_folders(root: Path) -> tuple[Path, ...]:
    """The folders that heals have made in `root` and not removed yet."""
    try:
        with os.scandir(root) as entries:
            return tuple(sorted(Path(entry.path) for entry in entries if entry.name.startswith(PREFIX)))
    except OSError:
        return ()


def is_owner_alive(folder: Path) -> bool:
    """Tell whether the process that made the folder of a heal still runs; False if the system is silent."""
    pid, _, rest = folder.name.removeprefix(PREFIX).partition("-")
    ticks = rest.partition("-")[0]
    return pid.isdigit() and ticks.isdigit() and is_alive(int(pid), int(ticks))


def is_own(folder: Path) -> bool:
    """Tell whether this process made the folder of a heal."""
    return folder.name.startswith(f"{PREFIX}{os.getpid()}-{read_start_ticks(os.getpid())}-")


def is_alive(pid: int, start_ticks: int) -> bool:
    """Tell whether process `pid` runs and is the one that started then; a zombie does not run."""
    return start_ticks > 0 and read_start_ticks(pid) == start_ticks


def read_start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since the system's start; 0 for none that runs, or unknown."""
    try:
        stat = (PROC / str(pid) / "stat").read_text(errors="replace")
        state = stat[stat.rindex(")") + 1 :].split()[0]
        return 0 if state in "ZXx" else parse_start_ticks(stat)
    except (OSError, ValueError, IndexError):
        return 0


def write_journal(folder: Path, journal: HealJournal) -> None:
    """Write the journal into the folder of its heal, whole or not at all.

    Raises:
        OutputError: the disk is full or read-only.
    """
    document = {name: getattr(journal, name) for name in journal.__dataclass_fields__}
    document["units"] = [[unit.path, unit.old, unit.new] for unit in journal.units]
    write_text_atomically(
        folder / _NAME, json.dumps({"format_version": _FORMAT_VERSION, **document}, separators=(",", ":"))
    )


def read_journal(folder: Path) -> HealJournal | None:
    """Read the journal of a heal; None if there is none, so that nothing was moved.

    Raises:
        OSError: it is there and cannot be read, so what was moved is unknown.
    """
    try:
        text = (folder / _NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        document = json.loads(text)
        units = tuple(Unit(path, _pair(old), _pair(new)) for path, old, new in document["units"])
        if document["format_version"] != _FORMAT_VERSION:
            return None
        return HealJournal(
            document["package"],
            document["version"],
            document["replaced_version"],
            int(document["pid"]),
            int(document["start_ticks"]),
            units,
            tuple(document["owned"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def drop_journal(folder: Path) -> None:
    """Remove the journal: the exchange is done or undone, and the rest of the folder is waste."""
    (folder / _NAME).unlink(missing_ok=True)


def _pair(value: list[int] | None) -> tuple[int, int] | None:
    return None if value is None else (int(value[0]), int(value[1]))
