"""Tell the user what went wrong: one message with its next step and its page; a box for a package."""

from __future__ import annotations

import io
import os
import sys
import traceback

import click

from tierproof.cli.terminal.echo_text import echo_text
from tierproof.cli.terminal.error_message import ChildError
from tierproof.core.addresses import FEEDBACK, troubleshooting_address
from tierproof.core.plain_text import clean_text
from tierproof.errors import BrokenPackageError, MissingPackageError, TierproofError


def show_error(error: Exception, *, debug: bool = False) -> None:
    """Write `error` to stderr.

    Args:
        error: a TierproofError, or anything else, which is called internal.
        debug: the traceback comes first.
    """
    if debug:
        sys.stderr.write(clean_text(_describe_traceback(error)))
    if isinstance(error, MissingPackageError | BrokenPackageError):
        _show_box(error)
        _show_address(error)
    elif isinstance(error, TierproofError):
        _show_message(error.message, error.hint)
        _show_address(error)
    else:
        told = str(error) if isinstance(error, ChildError) else f"{type(error).__name__}: {error}"
        hint = (
            ""
            if debug
            else f"This is a bug in tierproof. Run with --debug, and report the traceback at {FEEDBACK}"
        )
        _show_message(f"internal error: {told.splitlines()[0]}", hint)


def show_usage_error(error: click.ClickException) -> None:
    """Write what click says of a command line that it cannot read."""
    told = io.StringIO()
    error.show(file=told)
    echo_text(told.getvalue().rstrip("\n"), err=True)


def _describe_traceback(error: Exception) -> str:
    notes = getattr(error, "__notes__", [])
    if notes:  # the traceback of the process that raised it
        return "\n".join(notes) + "\n"
    return "".join(traceback.format_exception(error))


def _show_message(message: str, hint: str) -> None:
    label = "error:"
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        label = f"\x1b[1;31m{label}\x1b[0m"
    indented = "".join(f"\n  {line}" for line in clean_text(hint).splitlines())
    sys.stderr.write(f"{label} {clean_text(message)}{indented}\n")


def _show_address(error: TierproofError) -> None:
    if address := troubleshooting_address(error.slug):
        sys.stderr.write(f"  More: {address}\n")


def _show_box(error: MissingPackageError | BrokenPackageError) -> None:
    from rich.console import Console
    from rich.panel import Panel
    from rich.text import Text

    absent = isinstance(error, MissingPackageError)
    title = f"{error.package} is {'not installed' if absent else 'broken'}"
    body = Text(clean_text(f"{error.message}\n\n{error.hint}".rstrip()))
    if isinstance(error, MissingPackageError):
        body.highlight_words([error.command], style="bold green")
    Console(stderr=True).print(Panel(body, title=title, border_style="red", padding=(1, 2)))
