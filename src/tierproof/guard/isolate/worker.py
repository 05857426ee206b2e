"""A worker process as its caller sees it: started, called, interrupted, ended."""

from __future__ import annotations

import contextlib
import linecache
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tierproof.guard.isolate.channel import INLINE_BYTES, Message
from tierproof.guard.isolate.parcel import Parcel, pack
from tierproof.guard.isolate.worker_environment import clean_environment
from tierproof.guard.isolate.worker_error import WorkerError, WorkerTimeoutError
from tierproof.guard.isolate.worker_failure import (
    RemoteTraceback,
    explain_death,
    rebuild_exception,
    refuse_result,
)
from tierproof.guard.isolate.worker_process import TimedOut, WorkerProcess, find_folder, start_process

DEFAULT_IDLE_S = 600.0
_START_LIMIT_S = 120.0
_GRACE_S = 2.0
_CLOSE_S = 1.0


@dataclass(frozen=True, slots=True)
class CallRecord:
    """Time and data volume of the last call.

    Attributes:
        seconds: wall time, both transfers included.
        sent_bytes: size of the function and the arguments.
        received_bytes: size of the result.
        copies: how often the data of any array of a mebibyte and more was copied on its way, at worst: once, and
            twice where it was not contiguous or a small part of a large tensor; 0 if there was none.
        reused: the process was already running.
    """

    seconds: float
    sent_bytes: int
    received_bytes: int
    copies: int
    reused: bool


class Worker:
    """Runs calls in one process, which is started when it is needed, and again when it has ended.

    Args:
        layer: folders that the worker puts in front of this process's `sys.path`.
        idle_s: seconds without a call after which the process ends by itself.
    """

    def __init__(self, layer: Sequence[str], *, idle_s: float = DEFAULT_IDLE_S) -> None:
        self.layer = tuple(layer)
        self.calls = 0
        self.last_call: CallRecord | None = None
        self._idle_s = idle_s
        self._process: WorkerProcess | None = None
        self._owner = os.getpid()
        self._turn = threading.Lock()

    @property
    def pid(self) -> int:
        """Number of the running process; 0 if none runs."""
        process = self._process if self._owner == os.getpid() else None
        return process.pid if process is not None and process.is_alive() else 0

    def run(
        self,
        function: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        limit_s: float | None = None,
    ) -> Any:
        """Call `function` in the worker and return its result. Its output appears here as it is printed.

        Args:
            function: any function, also one defined in a notebook.
            args: positional arguments.
            kwargs: keyword arguments.
            limit_s: seconds that the call may take.

        Raises:
            WorkerTimeoutError: the call took longer; the process was ended if it did not stop when interrupted.
            WorkerDiedError: the process ended during the call.
            WorkerError: its exception, or its result, cannot be rebuilt here.
            KeyboardInterrupt: Ctrl-C, after the call was interrupted or the process ended.
            BaseException: the exception that the function raised, with the worker's traceback as its cause.
        """
        parcel = pack((function, tuple(args), dict(kwargs)))
        if self._owner != os.getpid():  # forked: the process belongs to the one that started it
            self._process, self._owner, self._turn = None, os.getpid(), threading.Lock()
        with self._turn:
            started = time.perf_counter()
            message, reused = self._ask(function, parcel, limit_s)
            value = _open(message)
            self.calls += 1
            copies = max(_count_copies(parcel), message.header["copies"] + message.was_mapped)
            self.last_call = CallRecord(
                time.perf_counter() - started, _measure(parcel), message.bytes, copies, reused
            )
            return value

    def close(self) -> None:
        """End the process: it may shut down for a second, then it and all its children are killed."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.send({"kind": "close"})
        with contextlib.suppress(TimedOut):
            process.listen(time.monotonic() + _CLOSE_S)
        process.end()

    def start(self) -> bool:
        """Start the process if none runs; return whether one was already running.

        Raises:
            WorkerError: it could not be started.
        """
        if self._process is not None:
            if self._process.is_alive():
                return True
            self._process.end()
        self._process = process = start_process(clean_environment(self.layer, os.environ))
        try:
            process.send(
                {
                    "kind": "greeting",
                    "layer": self.layer,
                    "idle_s": self._idle_s,
                    **_describe_here(self.layer),
                }
            )
            message = process.listen(time.monotonic() + _START_LIMIT_S)
        except BaseException:
            self._kill()
            raise
        if message is None:
            code, self._process = process.end(), None
            said = process.last_words.strip()
            raise WorkerError(
                f"the worker process ended before its first call, with exit code {code}"
                + (f"\nIts last output:\n{said}" if said else ""),
                hint=f"Check what {sys.executable} runs at its start: sitecustomize.py and .pth files.",
            )
        process.pid = message.header["pid"]
        return False

    def _ask(
        self, function: Callable[..., Any], parcel: Parcel, limit_s: float | None
    ) -> tuple[Message, bool]:
        reused = self.start()
        ends_at = None if limit_s is None else time.monotonic() + limit_s
        try:
            message = self._call(function, parcel, ends_at)
            if message is not None and message.header["kind"] == "idle":  # it left at this very moment
                self._kill()
                reused = self.start()
                message = self._call(function, parcel, ends_at)
        except TimedOut:
            raise self._time_out(function, limit_s or 0.0) from None
        except KeyboardInterrupt as error:
            self._stop_call(error)
            raise
        except BaseException:
            self._kill()
            raise
        if message is None:
            assert self._process is not None
            process, self._process = self._process, None
            raise explain_death(process.end(), process.last_words, function)
        return message, reused

    def _call(self, function: Callable[..., Any], parcel: Parcel, ends_at: float | None) -> Message | None:
        assert self._process is not None
        self._process.last_words = ""
        header = {"kind": "call", "sources": _find_source(function), **_describe_here(self.layer)}
        self._process.send(header, parcel)
        return self._process.listen(ends_at)

    def _stop_call(self, error: KeyboardInterrupt | None) -> bool:
        """Interrupt the call, and end the process where it does not stop; tells whether it lives."""
        process = self._process
        assert process is not None
        process.interrupt()
        try:
            message = process.listen(time.monotonic() + _GRACE_S)
        except TimedOut:
            message = None
        except BaseException:  # a second Ctrl-C
            self._kill()
            raise
        if message is None:
            self._kill()
            return False
        if error is not None and "traceback" in message.header:
            error.__cause__ = RemoteTraceback(message.header["traceback"])
        return True

    def _time_out(self, function: Callable[..., Any], limit_s: float) -> WorkerTimeoutError:
        stopped = self._stop_call(None)
        name = getattr(function, "__qualname__", repr(function))
        end = "it was interrupted" if stopped else "it did not stop when interrupted, so its worker was ended"
        return WorkerTimeoutError(
            f"{name} took longer than limit_s={limit_s:g} seconds: {end}",
            hint="Pass a larger `limit_s`, or make the call do less.",
        )

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def __del__(self) -> None:
        process = getattr(self, "_process", None)
        if process is not None and self._owner == os.getpid():
            process.abandon()


def _describe_here(layer: Sequence[str]) -> dict[str, Any]:
    """What a worker follows: the path, the folder and the variables of this process."""
    path = [entry for entry in sys.path if isinstance(entry, str)]
    return {"path": path, "folder": find_folder(), "environment": clean_environment(layer, os.environ)}


def _find_source(function: Callable[..., Any]) -> dict[str, list[str]]:
    """Return the lines of the notebook cell that a function was defined in, for the worker's tracebacks."""
    name = getattr(getattr(function, "__code__", None), "co_filename", "")
    entry = linecache.cache.get(name)
    if entry is None or len(entry) < 4 or os.path.exists(name):  # noqa: PTH110
        return {}
    return {name: entry[2]}


def _open(message: Message) -> Any:
    if message.header["kind"] == "error":
        raise rebuild_exception(message)
    try:
        return message.open()
    except Exception as error:
        raise refuse_result(error) from error


def _measure(parcel: Parcel) -> int:
    return len(parcel.payload) + sum(buffer.nbytes for buffer in parcel.buffers)


def _count_copies(parcel: Parcel) -> int:
    return parcel.copies + (_measure(parcel) >= INLINE_BYTES and bool(parcel.buffers))
