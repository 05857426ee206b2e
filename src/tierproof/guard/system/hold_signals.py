"""A step that is done as a whole: a Ctrl-C that comes during it is acted on after it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextlib.contextmanager
def hold_signals(*, then_act: bool) -> Iterator[None]:
    """Hold back requests to end for a moment, so that what is half done is never told as not done.

    Nothing is changed outside the main thread, where no signal is handled, nor for a signal that ends the process
    without a word or is ignored.

    Args:
        then_act: act on the first of them after the step, as in a kernel, where the rest of the cell would run on.
            Otherwise they are dropped: a command that has nothing left but to tell its result ends anyway, and must
            not say that nothing was done.

    Raises:
        BaseException: what the signal's handler raises, after the step.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    held = {number: handler for number, handler in before.items() if callable(handler)}
    came: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    for number in held:
        signal.signal(number, note)  # not SIG_IGN, which children would inherit
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        if came and then_act:
            signal.raise_signal(came[0])
