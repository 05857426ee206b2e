"""The verdict of a check on one line of a notebook, where `r = tp.check(m)` would otherwise show nothing."""

from __future__ import annotations

import sys

from tierproof.api.show.progress import ProgressOption, in_notebook
from tierproof.core.report import Report


def show_verdict(report: Report, option: ProgressOption) -> None:
    """Write the line to stdout, if this process is a notebook's kernel and progress is shown in the usual way."""
    if option is True and in_notebook():
        sys.stdout.write(f"{repr(report).strip('<>').removeprefix('Report of ')}\n")
