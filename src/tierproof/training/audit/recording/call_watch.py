"""See calls of Python functions by their names while they are made, without patching them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import FrameType, TracebackType
from typing import Any

Handler = Callable[[FrameType, Any], None]


class CallWatch(AbstractContextManager["CallWatch"]):
    """Inside the `with`, `entered[name](frame, None)` is called as a function of that name begins, and
    `left[name](frame, result)` as it returns.

    It uses the interpreter's profiling hook of this thread; a profiler that was set before is set again afterwards.
    Names are only a first sieve: a handler must look at `frame.f_code` or the frame's variables.

    Attributes:
        failure: the first exception that a handler raised; the watched code goes on.
    """

    def __init__(self, entered: Mapping[str, Handler], left: Mapping[str, Handler]) -> None:
        self._entered = entered
        self._left = left
        self._earlier: Any = None
        self.failure: Exception | None = None

    def __enter__(self) -> CallWatch:
        self._earlier = sys.getprofile()
        sys.setprofile(self._see)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._earlier is None or callable(self._earlier):
            sys.setprofile(self._earlier)
        else:  # cProfile and %prun set a profiler that is an object, and no function
            sys.setprofile(None)
            self._earlier.enable()

    def _see(self, frame: FrameType, event: str, result: Any) -> None:
        if event == "call":
            handler = self._entered.get(frame.f_code.co_name)
        elif event == "return":
            handler = self._left.get(frame.f_code.co_name)
        else:
            return
        if handler is None:
            return
        try:
            handler(frame, result)
        except Exception as error:  # noqa: BLE001 - kept for the caller: a profiler that raises would end the user's step
            self.failure = self.failure or error
