"""The steps of a longer call, on one line that rewrites itself in a terminal or notebook."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from tierproof.api.show.progress import in_notebook
from tierproof.core.plain_text import clean_text

Steps = Callable[[str], None]


@contextlib.contextmanager
def open_steps(on_step: Steps | None) -> Iterator[Steps]:
    """Give a function that is told each step, while the context is open.

    Args:
        on_step: that function; None shows the steps in a terminal or a notebook, and elsewhere nothing.
    """
    if on_step is not None:
        yield on_step
        return
    if not (sys.stderr.isatty() or in_notebook()):
        yield _say_nothing
        return
    longest = 0

    def show(step: str) -> None:
        nonlocal longest
        line = clean_text(f"tierproof: {step} …") if step else ""
        longest = max(longest, len(line))
        sys.stderr.write(f"\r{line.ljust(longest)}" + ("" if step else "\r"))
        sys.stderr.flush()

    try:
        yield show
    finally:
        show("")


def _say_nothing(_step: str) -> None:
    pass
