"""The history of an environment: which generation was activated when, by which process and request."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.json_value import JsonValue
from tierproof.core.read_bounded import read_bounded
from tierproof.errors import OutputError
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.install_error import InstallError

FORMAT_VERSION = 1
FOUND = "found"
"""The action of an entry that only says what was present by then."""


@dataclass(frozen=True, slots=True)
class Activation:
    """One entry.

    Attributes:
        number: counted from 1.
        generation: the id; empty if nothing is added any more.
        action: `install`, `uninstall`, `rollback`, `recover`, or `found` for one that a kill left unrecorded.
        requested: what was asked for, as typed, credentials left out.
        packages: `name version` of all that the generation holds.
        at: seconds since the epoch, by the wall clock; for people.
        pid: of the process that did it.
        boot: identifies the boot of the system; empty if the system does not tell.
        uptime_s: seconds since that boot; orders activations and processes when the clock was set.
        session_only: only the calling process saw it.
    """

    number: int
    generation: str
    action: str
    requested: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    at: float = 0.0
    pid: int = 0
    boot: str = ""
    uptime_s: float = 0.0
    session_only: bool = False

    def to_dict(self) -> dict[str, JsonValue]:
        """Return the entry as JSON."""
        document: dict[str, JsonValue] = {}
        for name, value in asdict(self).items():
            document[name] = list(value) if isinstance(value, tuple) else value
        return document


def read_history(store: GenerationStore) -> tuple[Activation, ...]:
    """Read every whole entry, oldest first.

    Raises:
        InstallError: the system cannot read one. What it tells of must not be taken for unused.
    """
    found = []
    try:
        files = list((store.folder / "history").iterdir())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _unreadable(store.folder / "history", error) from error
    for file in files:
        if file.suffix == ".json" and file.stem.isdigit():
            entry = _read(file)
            if entry is not None:
                found.append(entry)
    return tuple(sorted(found, key=lambda entry: entry.number))


def is_beginning_lost(history: Sequence[Activation]) -> bool:
    """Tell whether the first entries were deleted: an environment does not begin with what was found in it."""
    return bool(history) and (history[0].number > 1 or history[0].action == FOUND)


def record_activation(
    store: GenerationStore,
    generation: str,
    action: str,
    *,
    requested: Sequence[str] = (),
    packages: Sequence[str] = (),
    session_only: bool = False,
) -> Activation:
    """Write the next entry, whole or not at all. Call it while the environment is locked.

    Raises:
        OutputError: it cannot be written.
    """
    folder = store.folder / "history"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = os.listdir(folder)  # noqa: PTH208 - names alone
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}",
            hint="tierproof records every install and uninstall in this folder. Make it writable, or free some space.",
        ) from error
    numbers = [int(name.removesuffix(".json")) for name in names if name.removesuffix(".json").isdigit()]
    entry = Activation(
        max(numbers, default=0) + 1,
        generation,
        action,
        tuple(requested),
        tuple(packages),
        time.time(),
        os.getpid(),
        read_boot_id(),
        time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic(),
        session_only,
    )
    document = json.dumps({"format_version": FORMAT_VERSION, **entry.to_dict()}, indent=1)
    write_text_atomically(folder / f"{entry.number:06}.json", document)
    return entry


def forget_activation(store: GenerationStore, entry: Activation) -> None:
    """Remove the entry of an activation that did not happen; one that stays is corrected by the next change."""
    with contextlib.suppress(OSError):
        (store.folder / "history" / f"{entry.number:06}.json").unlink()


def read_boot_id() -> str:
    """Identify the boot of the system; empty if the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _unreadable(path: Path, error: OSError) -> InstallError:
    return InstallError(
        f"cannot read {path}: {error.strerror or error}",
        hint="tierproof records in this place which added packages running processes may use. Make it readable. "
        "Remove it only if no Python process of this environment is running: `tierproof rollback` and `tierproof "
        "recover` then no longer know these changes.",
    )


def _read(file: Path) -> Activation | None:
    try:
        content = read_bounded(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(file, error) from error
    try:
        document = json.loads(content)
        return Activation(
            int(file.stem),
            str(document["generation"]),
            str(document["action"]),
            tuple(map(str, document["requested"])),
            tuple(map(str, document["packages"])),
            float(document["at"]),
            int(document["pid"]),
            str(document["boot"]),
            float(document["uptime_s"]),
            bool(document["session_only"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None  # half-written by a disk that was full: the others still tell
