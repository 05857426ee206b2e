"""Show what a longer command is doing, on stderr: a moving line for a person, plain lines for a log."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tierproof.cli.terminal.echo_text import echo_text
from tierproof.core.plain_text import clean_text


@contextmanager
def open_steps(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """Give a function that shows a step, while the context is open."""
    if quiet:
        yield lambda _: None
    elif not sys.stderr.isatty():
        yield lambda step: echo_text(step, err=True)
    else:
        from rich.console import Console
        from rich.text import Text

        with Console(stderr=True).status("") as status:
            yield lambda step: status.update(Text(f"{clean_text(step)} …"))
