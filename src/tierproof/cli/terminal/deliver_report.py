"""Write a report to the files that were asked for, and print it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tierproof.cli.terminal.echo_result import echo_document
from tierproof.cli.terminal.echo_text import echo_text

if TYPE_CHECKING:
    from tierproof.core.report import Report


def deliver_report(report: Report, outputs: Sequence[Path], *, as_json: bool, quiet: bool) -> None:
    """Save the report to each of `outputs`, name them on stderr unless `quiet`, and print it to stdout.

    Raises:
        OutputError: a file cannot be written.
    """
    for path in outputs:
        report.save(path)
        if not quiet:
            echo_text(f"wrote {path}", err=True)
    try:
        _print_report(report, as_json=as_json)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader left, as `head` does; rich makes it a SystemExit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_report(report: Report, *, as_json: bool) -> None:
    if as_json:
        echo_document(report.to_dict(), "", as_json=True)
        return
    from rich.console import Console

    from tierproof.reporters.terminal import print_report

    print_report(report, Console())
