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


def end_process(process: subprocess.Popen[Any]) -> None:
    """Kill a process that was started with `start_new_session`, with its group, and collect what is left of it.

    What is still in its pipes is read and dropped. On Windows, which has no process groups, the process
    alone is killed.
    """
    if hasattr(os, "killpg"):
        kill_group(process.pid)
    else:
        process.kill()
    process.communicate()
