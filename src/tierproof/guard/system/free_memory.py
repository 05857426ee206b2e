"""How much memory the system has left to give."""

from __future__ import annotations

from pathlib import Path

_MEMORY = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


def read_free_memory() -> int | None:
    """Return the bytes that new processes can have without swapping; None where the system does not tell.

    In a container it is what the container has left, if that is less.
    """
    try:
        lines = dict(line.split(":", 1) for line in _MEMORY.read_text(encoding="ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) << 10
    except (OSError, ValueError, KeyError, IndexError):
        return None
    try:
        most = int((_GROUP / "memory.max").read_text(encoding="ascii"))  # "max" where there is no limit
        used = int((_GROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return free
    return max(min(free, most - used), 0)
