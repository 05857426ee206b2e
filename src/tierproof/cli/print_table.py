"""A table on stdout: drawn for a person at a terminal, plain aligned text otherwise."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from tierproof.images.text_table import align_table


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print `rows` under `titles`; the columns that `right` names are aligned to the right on a terminal."""
    if not sys.stdout.isatty():
        click.echo(align_table(titles, rows))
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for title in titles:
        table.add_column(title, justify="right" if title in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    Console(highlight=False, markup=False).print(table)
