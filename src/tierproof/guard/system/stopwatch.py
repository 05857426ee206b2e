"""Wall time by part."""

from __future__ import annotations

import time


class Stopwatch:
    """Measures from its making; each lap is added to the part of that name."""

    def __init__(self) -> None:
        self._began = self._lap = time.perf_counter()
        self.parts_s: dict[str, float] = {}

    def lap(self, part: str) -> None:
        """Add the seconds since the last lap to `part`."""
        now = time.perf_counter()
        self.parts_s[part] = self.parts_s.get(part, 0.0) + now - self._lap
        self._lap = now

    def total_s(self) -> float:
        """Seconds since the watch was made."""
        return time.perf_counter() - self._began
