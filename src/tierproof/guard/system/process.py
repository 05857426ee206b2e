"""What the system says about processes: when they started, and which belong to this user."""

from __future__ import annotations

import os
import time
from pathlib import Path

from tierproof.errors import TierproofError

PROC = Path("/proc")


class ProcessError(TierproofError):
    """A process cannot be inspected: it has ended, belongs to another user, or the system shows no maps."""

    slug = "process"


def has_maps() -> bool:
    """Tell whether this system shows what a process has mapped (Linux does)."""
    return (PROC / "self" / "maps").exists()


def process_start_ticks(pid: int) -> int | None:
    """Clock ticks from the system's boot to the start of `pid`, which no change of the clock moves; None if unknown."""
    try:
        return parse_start_ticks((PROC / str(pid) / "stat").read_text(errors="replace"))
    except (OSError, ValueError):
        return None


def process_started_at(pid: int) -> float | None:
    """Seconds since the epoch at which `pid` started, to a hundredth; None where the system does not say."""
    ticks = process_start_ticks(pid)
    if ticks is None:
        return None
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)  # /proc/stat tells whole seconds only
    return booted + ticks / os.sysconf("SC_CLK_TCK")


def parse_start_ticks(stat: str) -> int:
    """Field 22 of /proc/PID/stat; the command in field 2 may hold spaces and brackets."""
    fields = stat[stat.rindex(")") + 1 :].split()
    if len(fields) < 20:
        raise ValueError("a stat line without a start time")
    return int(fields[19])


def find_own_processes() -> tuple[int, ...]:
    """Every other live process of this user, lowest number first; empty where there is no /proc."""
    found = []
    try:
        entries = [entry for entry in os.listdir(PROC) if entry.isdigit()]  # noqa: PTH208 - names alone
    except OSError:
        return ()
    for entry in entries:
        try:
            owner = os.stat(f"{PROC}/{entry}").st_uid  # noqa: PTH116
        except OSError:
            continue
        if owner == os.geteuid() and int(entry) != os.getpid():
            found.append(int(entry))
    return tuple(sorted(found))
