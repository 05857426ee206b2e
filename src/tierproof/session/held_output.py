"""Hold back what a model prints while it is called hundreds of times; say how much, and show the end."""

from __future__ import annotations

import contextlib
import io
from collections import deque
from collections.abc import Iterator

_KEPT_LINES = 3
_LONGEST = 160


class HeldOutput(io.TextIOBase):
    """A stream that counts lines and keeps the last few."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = 0
        self._last: deque[str] = deque(maxlen=_KEPT_LINES)
        self._open = ""

    def writable(self) -> bool:
        """Always."""
        return True

    def write(self, text: str) -> int:
        """Take text; lines end at a newline."""
        *complete, self._open = (self._open + text).split("\n")
        self._open = self._open[-_LONGEST:]
        for line in complete:
            self.lines += 1
            self._last.append(line[:_LONGEST])
        return len(text)

    def describe(self) -> tuple[str, ...]:
        """Say how much was held back, and how it ended; nothing where nothing was."""
        if not self.lines and not self._open.strip():
            return ()
        shown = [*self._last, *([self._open] if self._open.strip() else [])]
        count = self.lines + bool(self._open.strip())
        return (
            f"The model printed {count} lines during this step. The last ones:",
            *(f"  {line}" for line in shown),
        )


@contextlib.contextmanager
def hold_output() -> Iterator[HeldOutput]:
    """Take what is printed to standard output while the context is open."""
    held = HeldOutput()
    with contextlib.redirect_stdout(held):
        yield held
