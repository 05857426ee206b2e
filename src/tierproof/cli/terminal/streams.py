"""The standard streams as they may be given: closed, on a full disk, or a pipe whose reader has left."""

from __future__ import annotations

import contextlib
import io
import os
import sys

from tierproof.errors import OutputError


class _Forgiving(io.FileIO):
    """A stream for remarks: one that cannot be written is no reason to fail."""

    def write(self, content: object, /) -> int:
        with contextlib.suppress(OSError):
            return super().write(content) or 0  # type: ignore[arg-type]
        return memoryview(content).nbytes  # type: ignore[arg-type]


class _Noting(io.FileIO):
    """A stream for results: what it cannot take fails, and is known to be the stream's fault."""

    failed = False

    def write(self, content: object, /) -> int:
        try:
            return super().write(content) or 0  # type: ignore[arg-type]
        except OSError:
            _Noting.failed = True
            raise


def prepare_streams() -> None:
    """Give each closed standard stream a number of its own, so that no file of ours takes it.

    Errors and progress go nowhere where stderr is closed or full.

    Raises:
        OutputError: stdout is closed.
    """
    closed = [number for number in (0, 1, 2) if _is_closed(number)]
    for _ in closed:
        os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is the closed one
    if sys.stderr is None or (_is_original(sys.stderr, sys.__stderr__) and not sys.stderr.isatty()):
        sys.stderr = io.TextIOWrapper(
            io.BufferedWriter(_Forgiving(2, "w", closefd=False)),
            encoding=getattr(sys.stderr, "encoding", None) or "utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )
    if 1 in closed or sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for the rest of the process
        raise OutputError(
            "standard output is closed, so the result cannot be printed",
            hint="Redirect it to a file or to /dev/null. Nothing was done.",
        )
    encoding, errors = sys.stdout.encoding or "utf-8", sys.stdout.errors
    if not encoding.lower().startswith("utf"):  # an ASCII locale: what it cannot show is spelled out
        errors = "backslashreplace"
    if not _is_original(sys.stdout, sys.__stdout__):  # something reads it in this process
        return
    if sys.stdout.isatty():
        sys.stdout.reconfigure(errors=errors)  # type: ignore[union-attr]
    else:
        buffer = io.BufferedWriter(_Noting(1, "w", closefd=False))
        sys.stdout = io.TextIOWrapper(buffer, encoding=encoding, errors=errors)


def drop_output() -> None:
    """Send what stdout still holds, and all that follows, nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def has_output_failed() -> bool:
    """Tell whether stdout has not taken something."""
    return _Noting.failed


def _is_original(stream: object, original: object) -> bool:
    return stream is original


def _is_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False
