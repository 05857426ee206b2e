"""The memory of the GPUs, by way of the driver's own program: no package has to be imported for it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

_LIMIT_S = 10.0
_QUERY = ("--query-gpu=name,memory.used,memory.total", "--format=csv,noheader,nounits")


@dataclass(frozen=True, slots=True)
class GpuMemory:
    """One GPU: its name, and its memory in MiB."""

    name: str
    used_mib: int
    total_mib: int

    def describe(self) -> str:
        """Give it in a few words."""
        return f"{self.name}, {self.used_mib} of {self.total_mib} MiB in use"


def read_gpu_memory() -> tuple[GpuMemory, ...]:
    """Ask the driver; nothing where there is none, or where it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        told = subprocess.run(
            [program, *_QUERY], capture_output=True, text=True, check=False, timeout=_LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    if told.returncode:
        return ()
    return tuple(gpu for line in told.stdout.splitlines() if (gpu := _parse(line)) is not None)


def compare_gpu_memory(before: Sequence[GpuMemory], after: Sequence[GpuMemory]) -> tuple[str, ...]:
    """Say what each GPU had in use before and after; nothing without one."""
    lines = []
    for one, other in zip(before, after, strict=False):
        verdict = "equal" if one.used_mib == other.used_mib else "another program may have changed it"
        lines.append(
            f"Memory in use on {one.name}: {one.used_mib} MiB before, {other.used_mib} MiB after ({verdict})"
        )
    return tuple(lines)


def _parse(line: str) -> GpuMemory | None:
    name, _, rest = line.partition(",")
    used, _, total = rest.partition(",")
    try:
        return GpuMemory(name.strip(), int(used), int(total))
    except ValueError:  # "[N/A]" on boards that do not tell
        return None
