"""The one way by which text leaves for the terminal: whatever it came from, the terminal obeys none of it."""

from __future__ import annotations

import click

from tierproof.core.plain_text import clean_text


def echo_text(text: str, *, err: bool = False) -> None:
    """Write lines to stdout, or to stderr, without control characters.

    Names, commands and paths in them may come from a notebook, a list or a package of somebody else.
    """
    click.echo(clean_text(text), err=err)
