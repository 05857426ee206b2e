"""The time that a search for inputs may take."""

from __future__ import annotations

import time

# A minute is promised; a trial that has begun is not interrupted, so the search ends well before.
_SEARCH_S = 40.0
# No trial begins that may end after this, if it takes as long as the longest so far.
_LAST_END_S = 55.0


class SearchClock:
    """Runs from its creation."""

    def __init__(self, seconds: float = _SEARCH_S) -> None:
        self._began = time.monotonic()
        self._seconds = seconds
        self._longest_s = 0.0

    def note_trial(self, seconds: float) -> None:
        """Note how long a trial took: another may take as long."""
        self._longest_s = max(self._longest_s, seconds)

    @property
    def elapsed_s(self) -> float:
        """Seconds since the search began."""
        return time.monotonic() - self._began

    @property
    def expired(self) -> bool:
        """Whether no further trial may begin."""
        return self.elapsed_s > self._seconds or self.elapsed_s + self._longest_s > _LAST_END_S
