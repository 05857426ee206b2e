"""Ctrl-Z stops this process and a child that leads a process group of its own; both continue together."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType


class Stops:
    """How long this process has been stopped: `paused_s` seconds since it was made."""

    def __init__(self) -> None:
        self.paused_s = 0.0


@contextlib.contextmanager
def stop_together(leader: int) -> Iterator[Stops]:
    """Let a SIGTSTP stop the process group that `leader` leads as well: the terminal reaches only our own group.

    Nothing is changed outside the main thread, where no signal is handled, where the system has no such signal, nor
    where something else handles it.
    """
    stops = Stops()
    number = getattr(signal, "SIGTSTP", None)
    in_main = threading.current_thread() is threading.main_thread()
    if number is None or not in_main or signal.getsignal(number) is not signal.SIG_DFL:
        yield stops
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        began = time.monotonic()
        _send(leader, signal.SIGSTOP)
        signal.signal(number, signal.SIG_DFL)
        try:
            os.kill(os.getpid(), number)  # returns when a SIGCONT has come
        finally:
            signal.signal(number, stop)
            _send(leader, signal.SIGCONT)
            stops.paused_s += time.monotonic() - began

    signal.signal(number, stop)
    try:
        yield stops
    finally:
        signal.signal(number, signal.SIG_DFL)


def _send(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended
        os.killpg(leader, number)
