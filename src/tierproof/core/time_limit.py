"""A limit to the time of some work, which the work asks for between its steps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ends_at: ContextVar[float | None] = ContextVar("the time limit", default=None)


class TimeIsUp(BaseException):
    """No time is left. Not an `Exception`: a check that tries whether a model refuses a size must not catch it."""


@contextmanager
def limit_time(ends_at: float | None) -> Iterator[None]:
    """Context manager in which `require_time` raises after a point in time.

    Args:
        ends_at: as `time.monotonic` tells it; None for no limit.
    """
    token = _ends_at.set(ends_at)
    try:
        yield
    finally:
        _ends_at.reset(token)


def require_time() -> None:
    """Begin no further step when the time is up.

    Raises:
        TimeIsUp: the limit that was set has passed.
    """
    ends_at = _ends_at.get()
    if ends_at is not None and time.monotonic() >= ends_at:
        raise TimeIsUp
