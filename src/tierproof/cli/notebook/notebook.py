"""`tierproof notebook …`. A new subcommand is one new file `notebook_NAME.py` and one line here."""

from __future__ import annotations

import click

from tierproof.cli.notebook.notebook_build import build
from tierproof.cli.notebook.notebook_check import check


@click.group(short_help="Build and check tierproof's own notebooks.")
def notebook() -> None:
    """Build tierproof's notebooks from their recipes, and check them in a real kernel.

    Both need the extra `tierproof[notebooks]`.
    """


for command in (build, check):
    notebook.add_command(command)
