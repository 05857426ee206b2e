"""Make Ctrl-C stop the work at once, but never interrupt the restoring of the model."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any


class InterruptGate:
    """A SIGINT handler that passes the signal on while open and holds it back while closed.

    It is installed during the whole work, not only while the model is restored: a signal could otherwise arrive
    after the protected code was entered and before it has closed the gate. Such a signal is recognised by the
    frame that it interrupts.

    It works only in the main thread, and only over a handler written in Python; elsewhere it does nothing.
    """

    def __init__(self, protected: tuple[CodeType, ...]) -> None:
        self._protected = protected
        self._previous: Callable[[int, FrameType | None], Any] | None = None
        self._closings = 0
        self._pending = False

    def install(self) -> None:
        """Replace the current SIGINT handler."""
        if threading.current_thread() is not threading.main_thread():
            return
        previous = signal.getsignal(signal.SIGINT)
        if callable(previous):
            self._previous = previous
            signal.signal(signal.SIGINT, self._handle)

    def remove(self) -> None:
        """Restore the previous handler, unless other code has replaced this one since."""
        if self._previous is not None and signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, self._previous)

    def close(self) -> None:
        """Hold signals back until `open` has been called as often as `close`."""
        self._closings += 1

    def open(self) -> None:
        """Undo one `close`."""
        self._closings -= 1

    def deliver(self, *, already_interrupted: bool = False) -> None:
        """Pass on a signal that was held back, unless an interrupt is ending the work anyway."""
        if self._closings:
            return
        pending, self._pending = self._pending, False
        if pending and not already_interrupted and self._previous is not None:
            self._previous(signal.SIGINT, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._closings or (frame is not None and frame.f_code in self._protected):
            self._pending = True
        elif self._previous is not None:
            self._previous(number, frame)
