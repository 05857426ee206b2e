"""Runs a program that is not trusted: without the user's variables, with limits, and ended with all that it started."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.end_process import end_process

# What a program needs to run at all. Everything else may be a secret: tokens are kept in variables of any name.
_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT", "LD_LIBRARY_PATH")
_MOST_BYTES = 20_000


@dataclass(frozen=True, slots=True)
class ConfinedAnswer:
    """How it ended: its status (None: it took too long and was ended), and the end of what it printed."""

    status: int | None
    words: str


def run_confined(
    arguments: Sequence[str], folder: Path, *, limit_s: float, more: Mapping[str, str] | None = None
) -> ConfinedAnswer:
    """Run a program in `folder`, which is its home and temporary folder as well, and wait for it.

    Whatever it started is killed when it has ended.

    Args:
        arguments: the program and its arguments.
        folder: it may write there.
        limit_s: seconds after which it is killed.
        more: further variables.

    Raises:
        OSError: it cannot be started.
        BaseException: the exception that interrupts the wait, after the group was killed.
    """
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {"HOME": str(folder), "TMPDIR": str(folder), **(more or {})}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            list(arguments),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        status: int | None = None
        try:
            status = process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            end_process(process)  # also what it left running in the background
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - _MOST_BYTES))
        return ConfinedAnswer(status, output.read().decode("utf-8", "replace").strip())
