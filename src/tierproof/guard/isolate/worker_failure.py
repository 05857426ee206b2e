"""Turns failures in a worker into exceptions for its caller."""

from __future__ import annotations

import signal
import sys
from typing import Any

from tierproof.guard.isolate.channel import Message
from tierproof.guard.isolate.worker_error import WorkerDiedError, WorkerError

_HINTS = {
    signal.SIGKILL: "The worker probably ran out of memory; arrays sent to it count too. Send less data per call.",
    signal.SIGSEGV: "Native code crashed, often because a package was built for another version of a dependency.",
    signal.SIGABRT: "Native code aborted. Its last output, if any, gives the reason.",
}


class RemoteTraceback(Exception):  # noqa: N818 - it is shown as a cause, never raised
    """Where an exception was raised in the worker."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"in the worker process:\n\n{self.text}"


def rebuild_exception(message: Message) -> BaseException:
    """Return the exception that a worker sent: the original if it can be rebuilt here, else a `WorkerError`."""
    header = message.header
    rebuilt: BaseException | None = None
    reason = ""
    # Nobody catches a class that nobody here has imported, and to import its package for that alone could load
    # the very version that the worker was asked to stand in for.
    if message.memory is not None and _is_known(str(header["module"])):
        try:
            opened = message.open()
        except Exception as error:  # noqa: BLE001 - any class may fail to rebuild
            reason = f" (the exception cannot be rebuilt in this process: {type(error).__name__}: {error})"
        else:
            rebuilt = opened if isinstance(opened, BaseException) else None
    if rebuilt is None:
        rebuilt = WorkerError(
            f"{header['type']}: {header['words']}{reason}",
            remote_type=str(header["type"]),
            remote_traceback=str(header["traceback"]),
        )
    rebuilt.__cause__ = RemoteTraceback(str(header["traceback"]))
    return rebuilt


def refuse_result(error: Exception) -> WorkerError:
    """Return the error for a result that cannot be unpickled here."""
    return WorkerError(
        f"the result cannot be rebuilt in this process: {type(error).__name__}: {error}",
        hint=(
            "Its class comes from a package that is missing here or has another version. Return plain "
            "values, numpy arrays, tensors or DataFrames, or write a file and return its path."
        ),
    )


def explain_death(code: int | None, last_words: str, function: Any) -> WorkerDiedError:
    """Return the error for a worker that ended during a call.

    Args:
        code: its exit code; a signal's is negative; None if unknown.
        last_words: the end of what it printed.
        function: the function that it ran.
    """
    name = getattr(function, "__qualname__", repr(function))
    number = None
    hint = "Check whether the code, or a package it uses, calls `os._exit`."
    if code is None:
        how, hint = (
            "ended for an unknown reason",
            "Check whether memory ran out, or whether another process killed the worker.",
        )
    elif code < 0:
        number = -code
        how = f"was killed by {_name_signal(number)}"
        hint = _HINTS.get(number, "Native code crashed, or another process ended it.")  # type: ignore[call-overload]
    else:
        how = f"ended with exit status {code}"
    said = last_words.strip()
    told = f"\nIts last output:\n{said}" if said else ""
    return WorkerDiedError(
        f"the worker {how} while running {name}; the next call starts a new worker",
        hint=hint + told,
        signal_number=number,
        exit_status=code if code is not None and code >= 0 else None,
        last_words=said,
    )


def _is_known(module: str) -> bool:
    top = module.partition(".")[0]
    return top in sys.modules or top in sys.stdlib_module_names


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
