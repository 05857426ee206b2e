"""Make Ctrl-C stop the work at once, but never interrupt the restoring of the model."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, TypeAlias

_Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None

# The innermost last: a model that is checked may check another one.
_INSTALLED: list[InterruptGate] = []


class InterruptGate:
    """A SIGINT handler that passes the signal on while open and holds it back while closed.

    It is installed during the whole work, not only while the model is restored: a signal could otherwise arrive
    after the protected code was entered and before it has closed the gate. Such a signal is recognised by the
    frame that it interrupts.

    The model's code may set a handler of its own, or block the signal. Nothing of that stays: `renew` sets this one
    again between two calls of the model, and `remove` the one that was there before.

    It works only in the main thread, and holds nothing back where SIGINT was ignored or left to the system.
    """

    def __init__(self, protected: tuple[CodeType, ...]) -> None:
        self._protected = protected
        self._before: _Handler = None
        self._was_blocked = False
        self._closings = 0
        self._pending = False

    def install(self) -> None:
        """Replace the current SIGINT handler."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._before = signal.getsignal(signal.SIGINT)
        if self._before is None:  # set outside of Python: it cannot be set again from here, so it stays
            return
        self._was_blocked = _is_blocked()
        _INSTALLED.append(self)
        self.renew()

    def renew(self) -> None:
        """Set the handler again where the model's code has replaced it, and let the signal through again."""
        if self not in _INSTALLED or threading.current_thread() is not threading.main_thread():
            return
        _set_handler(self._handle if callable(self._before) else self._before)
        if not self._was_blocked and _is_blocked():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))

    def remove(self) -> None:
        """Restore the previous handler, whichever is set now: what the checked model sets is not the user's."""
        if self in _INSTALLED:
            self.renew()
            _INSTALLED.remove(self)
            _set_handler(self._before)

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
        if pending and not already_interrupted and callable(self._before):
            self._before(signal.SIGINT, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._closings or (frame is not None and frame.f_code in self._protected):
            self._pending = True
        elif callable(self._before):
            self._before(number, frame)


def renew_interrupts() -> None:
    """Let Ctrl-C reach the work again, whatever the call of the model that has just ended did about it."""
    if _INSTALLED:
        _INSTALLED[-1].renew()


def _set_handler(handler: _Handler) -> None:
    # Compared with ==: a method is another object each time that it is read.
    if signal.getsignal(signal.SIGINT) != handler:
        signal.signal(signal.SIGINT, handler)


def _is_blocked() -> bool:
    return hasattr(signal, "pthread_sigmask") and signal.SIGINT in signal.pthread_sigmask(
        signal.SIG_BLOCK, ()
    )
