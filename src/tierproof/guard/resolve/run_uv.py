"""Finds and runs the uv program, with a clean environment and a time limit, and never leaves it running."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tierproof._optional import require
from tierproof.core.credentials import hide_credentials
from tierproof.core.plain_text import clean_text
from tierproof.errors import MissingPackageError
from tierproof.guard.resolve.hide_arguments import hide_arguments
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.guard.system.free_memory import read_free_memory
from tierproof.guard.system.run_child import Ended, run_child
from tierproof.guard.system.spared_room import SparedRoom

# What the uv package asks of sysconfig is not yet there while another thread asks for the first time.
_finding = threading.Lock()
# The largest resolutions take some hundred megabytes.
_MOST_MEMORY, _LEAST_MEMORY = 4 << 30, 1 << 30
# A resolution writes metadata alone.
_LARGEST_FILE = 2 << 30
_TOO_LARGE = getattr(signal, "SIGXFSZ", 0) or 1 << 16


@dataclass(frozen=True, slots=True)
class UvAnswer:
    """The result of uv: its exit status, its output, and its messages without credentials."""

    status: int
    output: str
    words: str


def find_uv() -> str:
    """Find the uv binary: the one of the uv package, else the one on PATH.

    Raises:
        MissingPackageError: uv is not installed.
    """
    try:
        package = require("uv", feature="to resolve packages")
        with _finding:
            return str(package.find_uv_bin())
    except (MissingPackageError, FileNotFoundError) as error:
        if found := shutil.which("uv"):
            return found
        raise MissingPackageError(
            "uv is needed to resolve packages, but it is not installed.",
            package="uv",
            feature="to resolve packages",
            command="pip install uv",
            hint="Install it with:  pip install uv\nIt is a single program and changes no other package.",
        ) from error


def run_uv(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    limit_s: float,
    doing: str = "resolved",
    largest_file_bytes: int = _LARGEST_FILE,
) -> UvAnswer:
    """Run uv in a process group of its own and wait for it.

    It may have half of the memory that is free: an index can answer with a page without end. It may not fill the
    disk, nor write a file of more than `largest_file_bytes`: a small wheel can hold gigabytes. The same holds for
    the builds that it starts.

    Raises:
        PlanError: it cannot be started, did not end within `limit_s` seconds, or needed more memory or room.
        BaseException: the exception that interrupts the wait, after uv and its children were killed.
    """
    most_memory = choose_memory_limit()
    words, hidden = hide_arguments(arguments, environment)
    room = SparedRoom([folder, _find_cache(environment)])

    def check() -> None:
        if (short := room.find_short()) is not None:
            raise PlanError(
                f"uv was stopped before the packages were {doing}: the disk of {short} is almost full",
                hint="Nothing was changed. Free some space on that disk. If it had plenty of space, a package may be "
                "built to fill disks: do not install it.",
            )

    try:
        ended = run_child(
            [find_uv(), *words],
            environment={**hidden, "NO_COLOR": "1"},
            folder=folder,
            limit_s=limit_s,
            most_memory_bytes=most_memory,
            largest_file_bytes=largest_file_bytes,
            check=check,
        )
    except OSError as error:
        raise PlanError(
            f"uv cannot be started: {error.strerror or error}",
            hint="Run `uv --version`. If that fails too, install uv again: pip install --force-reinstall uv",
        ) from error
    status = _require_end(ended, doing, limit_s, most_memory, largest_file_bytes)
    return UvAnswer(status, ended.output, clean_text(hide_credentials(ended.words.strip())))


def _require_end(ended: Ended, doing: str, limit_s: float, most_memory: int, largest_file_bytes: int) -> int:
    """Return the exit status of a uv that ended by itself.

    Raises:
        PlanError: it was ended at a limit.
    """
    if ended.status is None:
        raise PlanError(
            f"the packages could not be {doing} within {limit_s:.0f} seconds",
            hint="Check that the package index is reachable, or add version bounds to shorten the search."
            if doing == "resolved"
            else "Check that the package index is reachable and fast enough.",
        )
    if ended.status == -_TOO_LARGE or "os error 27" in ended.words:
        raise PlanError(
            f"uv was stopped before the packages were {doing}: one of them unpacks to a file of more than "
            f"{largest_file_bytes / 1e9:.1f} GB, far more than the size of its download promises",
            hint="Nothing was changed. Install the packages one by one to find out which; do not trust that "
            "package, and report it to its index.",
        )
    if ended.status < 0 or "memory allocation of" in ended.words:
        how = f"was killed by {_name_signal(-ended.status)}" if ended.status < 0 else "ran out of memory"
        raise PlanError(
            f"uv {how} before the packages were {doing}; it may use up to {most_memory / 1e9:.1f} GB of memory",
            hint=(
                "Free some memory. If that does not help, the package index may send endless responses: check which "
                "index pip or uv is configured with."
            ),
        )
    return ended.status


def choose_memory_limit() -> int:
    """Bytes that uv may allocate: half of what is free, as the kernel that we sit in needs the rest."""
    free = read_free_memory()
    return _MOST_MEMORY if free is None else max(min(_MOST_MEMORY, free // 2), _LEAST_MEMORY)


def _find_cache(environment: Mapping[str, str]) -> Path:
    """Where uv unpacks what it fetches."""
    if told := environment.get("UV_CACHE_DIR"):
        return Path(told)
    home = Path(environment.get("HOME") or "~").expanduser()
    return Path(environment.get("XDG_CACHE_HOME") or home / ".cache") / "uv"


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
