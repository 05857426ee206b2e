"""Show what a longer command is doing, on stderr: a moving line for a person, plain lines for a log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def open_steps(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Give a function that shows a step, while the context is open."""
    if quiet:
        yield lambda _: None
    elif not sys.stderr.isatty():
        yield lambda step: print(step, file=sys.stderr, flush=True)  # noqa: T201 - the edge
    else:
        from rich.console import Console

        with Console(stderr=True).status("") as status:
            yield lambda step: status.update(f"{step} …")
