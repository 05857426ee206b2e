"""How many bytes of memory a device has, and how many of them are available."""

from __future__ import annotations

import os
from pathlib import Path

import torch

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def find_device_memory_bytes(device: torch.device) -> int | None:
    """Bytes of the GPU's memory, or of this machine's memory within its container's limit; None if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    if device.type != "cpu":
        return None
    try:
        physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None
    limits = [limit for path in _CGROUP_LIMITS if (limit := _read_limit(Path(path))) is not None]
    return min(physical, *limits) if limits else physical


def find_available_bytes() -> int | None:
    """Bytes of CPU memory that can be allocated now; None if unknown."""
    total = find_device_memory_bytes(torch.device("cpu"))
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        available = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):  # not on Linux
        return total
    return available if total is None else min(total, available)


def find_free_bytes(device: torch.device) -> int | None:
    """Bytes that can be allocated on a device now; None if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return find_available_bytes() if device.type == "cpu" else None


def _read_limit(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # absent, or "max"
        return None
