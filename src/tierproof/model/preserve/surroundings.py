"""What a model's code may change of its process beside torch: the folder, signal handlers, how numbers are printed."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

# The handler of Ctrl-C is put back by `InterruptGate`, and these two cannot be caught.
_LEFT_ALONE = frozenset(
    number for name in ("SIGINT", "SIGKILL", "SIGSTOP") if (number := getattr(signal, name, None)) is not None
)


def iterate_surroundings() -> Iterator[tuple[str, Callable[[], Any], Callable[[Any], Any]]]:
    """The name of each setting, and how to read and to write it."""
    yield "working directory", os.getcwd, os.chdir
    yield "torch's print options", _read_print_options, _write_print_options
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        yield "numpy's print options", numpy.get_printoptions, lambda value: numpy.set_printoptions(**value)
    if threading.current_thread() is not threading.main_thread():
        return  # only the main thread may set a handler
    if hasattr(signal, "pthread_sigmask"):
        yield (
            "blocked signals",
            partial(signal.pthread_sigmask, signal.SIG_BLOCK, ()),
            partial(signal.pthread_sigmask, signal.SIG_SETMASK),
        )
    for number in sorted(signal.valid_signals() - _LEFT_ALONE):
        # A handler that was set outside of Python reads as None, and cannot be set again from here.
        if signal.getsignal(number) is not None:
            yield (
                f"handler of signal {int(number)}",
                partial(signal.getsignal, number),
                partial(signal.signal, number),
            )


def _read_print_options() -> dict[str, Any]:
    return dataclasses.asdict(torch._tensor_str.PRINT_OPTS)


def _write_print_options(value: dict[str, Any]) -> None:
    for name, option in value.items():
        setattr(torch._tensor_str.PRINT_OPTS, name, option)
