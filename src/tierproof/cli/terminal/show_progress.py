"""Show how far a check is, on stderr: a bar for a person, one plain line for a log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from tierproof.core.plain_text import clean_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Listener(Protocol):
    """What is told while the child works."""

    def show(self, done: int, total: int, name: str) -> None:
        """Checks done, checks in all, and what is under way."""

    def write(self, text: str) -> None:
        """Text that the user's code printed."""


@contextmanager
def open_display(*, quiet: bool) -> Iterator[Listener]:
    """Give what shows progress while the context is open. Text of user code is passed on in any case."""
    if quiet:
        yield SilentDisplay()
    elif not sys.stderr.isatty():
        yield LineDisplay()
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (BarColumn(24), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            yield BarDisplay(bar, bar.add_task("starting", total=None))


class SilentDisplay:
    """Passes on what user code prints, and shows nothing else."""

    def show(self, done: int, total: int, name: str) -> None:
        """Show nothing."""

    def write(self, text: str) -> None:
        """Pass `text` on."""
        sys.stderr.write(text)
        sys.stderr.flush()


class LineDisplay(SilentDisplay):
    """One plain line for all checks: in a log, the report says what each of them came to."""

    def __init__(self) -> None:
        self._begun = False

    def show(self, done: int, total: int, name: str) -> None:
        """Write the line when the first check begins."""
        if done < total and name and not self._begun:
            self._begun = True
            self.write(f"running {total} checks\n")


class BarDisplay:
    """A bar that moves; what user code prints appears above it."""

    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task
        self._unfinished = ""

    def show(self, done: int, total: int, name: str) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done, total=total or None, description=clean_text(name))

    def write(self, text: str) -> None:
        """Print whole lines above the bar."""
        *lines, self._unfinished = (self._unfinished + text).split("\n")
        for line in lines:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
