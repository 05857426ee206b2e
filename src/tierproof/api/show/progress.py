"""Progress of a check: a bar in a terminal or notebook, a function, or nothing."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TypeAlias

from tierproof.core.plain_text import clean_text

Progress: TypeAlias = Callable[[int, int, str], None]
ProgressOption: TypeAlias = bool | Progress


@contextlib.contextmanager
def open_progress(option: ProgressOption) -> Iterator[Progress]:
    """Give a function of (done, total, name of the running check) while the context is open.

    True draws a bar on stderr where a person looks at it (a terminal or a notebook), else nothing.
    """
    if callable(option):
        yield option
        return
    if not option or not (sys.stderr.isatty() or in_notebook()):
        yield _show_nothing
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("tierproof"),
        BarColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=clean_text(name))

        yield show


def _show_nothing(_done: int, _total: int, _name: str) -> None:
    pass


def in_notebook() -> bool:
    """Tell whether this process is a notebook's kernel."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return type(shell).__name__ == "ZMQInteractiveShell"
