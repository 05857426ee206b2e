"""Wait until something can be read; unlike `select`, also from descriptors beyond the 1024th."""

from __future__ import annotations

import math
import select
from collections.abc import Iterable


def find_readable(descriptors: Iterable[int], limit_s: float | None) -> set[int]:
    """Return the descriptors that can be read, or whose other end is closed.

    Args:
        descriptors: to wait for.
        limit_s: seconds to wait for the first; None waits for ever, 0 only looks.
    """
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    limit_ms = None if limit_s is None else max(0, math.ceil(limit_s * 1000))
    return {descriptor for descriptor, _ in poll.poll(limit_ms)}
