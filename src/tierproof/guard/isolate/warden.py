"""The warden of a worker: no process that the worker started outlives the one that asked for it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import time
from pathlib import Path
from typing import NoReturn

from tierproof.core.end_process import kill_group
from tierproof.guard.isolate.readable import find_readable

STATUS = struct.Struct("!i")
_LOOK_S = 1.0  # a parent's death also shows in its number; a forked child of it may hold the lifeline open
_ROUNDS = 50
_DIES_WITH_PARENT, _ADOPTS_ORPHANS = 1, 36  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER


def guard(worker: int, lifeline: socket.socket, parent: int) -> NoReturn:
    """Wait until the worker or the process that asked has ended; end what is left; exit.

    Args:
        worker: process number; it leads a process group.
        lifeline: the worker's exit code is sent there; it ends when the asking process does.
        parent: number of the asking process.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _control(_ADOPTS_ORPHANS, 1)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):  # so that the end of the worker's output can be seen
        os.dup2(null, stream)
    awake, wakener = os.pipe()
    os.set_blocking(wakener, False)
    signal.set_wakeup_fd(wakener)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    code: int | None = None
    while code is None and os.getppid() == parent:
        code = _reap(worker)
        if code is None:
            ready = find_readable([lifeline.fileno(), awake], _LOOK_S)
            if awake in ready:
                os.read(awake, 4096)
            if lifeline.fileno() in ready:  # nobody ever writes there: it has ended
                break
    _end_descendants(worker)
    if code is not None:
        with contextlib.suppress(OSError):
            lifeline.sendall(STATUS.pack(code))
    os._exit(0)


def become_child_of(warden: int) -> None:
    """Make the calling process lead a group of its own and die with the warden."""
    os.setpgid(0, 0)
    _control(_DIES_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != warden:
        os._exit(1)


def _reap(worker: int) -> int | None:
    """Collect what has ended; the worker's exit code (a signal's is negative), None while it lives."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == worker:
            return os.waitstatus_to_exitcode(status)


def _end_descendants(worker: int) -> None:
    """Kill the worker's group, and whoever left it: as orphans they become the warden's own children."""
    kill_group(worker)
    for _ in range(_ROUNDS):  # whoever was forked meanwhile shows in the next round
        found = _find_descendants(os.getpid())
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not found:
            return
        time.sleep(0.01)


def _find_descendants(root: int) -> list[int]:
    """Return every live descendant of `root`; nothing if there is no /proc."""
    children: dict[int, list[int]] = {}
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - names alone
    except OSError:
        return []
    for name in names:
        with contextlib.suppress(OSError, ValueError, IndexError):
            text = Path(f"/proc/{name}/stat").read_text(errors="replace")
            state, parent = text[text.rindex(")") + 1 :].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(name))
    found, rest = [], [root]
    while rest:
        below = children.get(rest.pop(), [])
        found += below
        rest += below
    return found


def _control(option: int, value: int) -> None:
    """Call prctl, where the system has it."""
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
