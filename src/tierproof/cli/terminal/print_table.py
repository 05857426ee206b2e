"""A table on stdout: with marked titles for a person at a terminal, plain aligned text otherwise."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tierproof.cli.terminal.echo_text import echo_text
from tierproof.core.plain_text import clean_text
from tierproof.images.tell.text_table import align_table

_WIDEST = 1000


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print `rows` under `titles`; the columns that `right` names are aligned to the right on a terminal."""
    if not sys.stdout.isatty():
        echo_text(align_table(titles, rows))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(clean_text, row))
    console = Console(highlight=False, markup=False)
    wanted = console.measure(table, options=console.options.update(width=_WIDEST)).maximum
    # A cell that is cut short cannot be copied into the next command: rather let the terminal wrap.
    Console(highlight=False, markup=False, width=max(console.width, wanted)).print(table)
