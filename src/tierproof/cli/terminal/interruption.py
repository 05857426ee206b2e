"""Ctrl-C and its kin as one exception."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Interrupted(BaseException):
    """The process was asked to end. No `Exception`, so that no handler mistakes it for a failure."""


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` at the first SIGINT, SIGTERM or SIGHUP; later ones cannot disturb the clean-up.

    A SIGHUP that the parent had ignored (`nohup`) stays ignored. Outside the main thread, where Python
    allows no handlers, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    before = {number: signal.getsignal(number) for number in signals}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        signals.remove(signal.SIGHUP)

    def interrupt(number: int, _frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    try:
        for number in signals:
            signal.signal(number, interrupt)
        yield
    finally:
        for number in signals:
            signal.signal(number, before[number] or signal.SIG_DFL)
