"""A step that is done as a whole: a Ctrl-C that comes during it is too late, and is dropped."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextlib.contextmanager
def hold_signals() -> Iterator[None]:
    """Drop requests to end for a moment, so that what is half done is never told as not done.

    Nothing is changed outside the main thread, where no signal is handled, nor for a signal that ends the process
    without a word or is ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    held = {number: handler for number, handler in before.items() if callable(handler)}
    for number in held:
        signal.signal(number, _drop)  # not SIG_IGN, which children would inherit
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)


def _drop(_number: int, _frame: FrameType | None) -> None:
    """Too late."""
