"""End a process together with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any


def kill_group(leader: int) -> None:
    """Kill every process of the group that `leader` leads; a group that has already ended is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def end_process(process: subprocess.Popen[Any], *, limit_s: float = 10.0) -> None:
    """Kill a process that was started with `start_new_session`, with its group, and collect it.

    Its pipes are closed: a daemon that it left behind may hold their other ends for ever. On Windows, which has no
    process groups, the process alone is killed.

    Args:
        process: the leader of its group.
        limit_s: seconds to wait for its end; a process that hangs in the kernel is left to the system.
    """
    if hasattr(os, "killpg"):
        kill_group(process.pid)
    else:
        process.kill()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):  # what was not written yet is for nobody any more
                stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(limit_s)
