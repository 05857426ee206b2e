"""The command, also as `python -m tierproof`: it answers Ctrl-C before anything else is imported."""

from __future__ import annotations

import os
import signal
import sys


def run() -> int:
    """Run the command line and give its exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from tierproof.cli.main import main

    code = main()
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the answer is out: too late to take it back
    return code


def _leave(_number: int, _frame: object) -> None:
    """Nothing has begun that would have to be cleaned up, and an exception would show the import's traceback."""
    os.write(2, b"tierproof: interrupted before the command was finished.\n")
    os._exit(2)


if __name__ == "__main__":
    sys.exit(run())
