"""Fork this process: a copy that has everything loaded, at the cost of neither time nor memory."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import IO, NoReturn

_POLL_S = 0.01
_MOST_DESCRIPTORS = 1 << 16


class ForkedProcess:
    """A forked child, with as much of the face of `subprocess.Popen` as `RunningChild` needs."""

    def __init__(self, pid: int, ear: int, output: int, words: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = os.fdopen(ear, "wb")
        self.stdout: IO[bytes] | None = os.fdopen(output, "rb", buffering=0)
        self.stderr: IO[bytes] | None = os.fdopen(words, "rb", buffering=0)

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it has not ended in time.
        """
        ends_at = time.monotonic() + (float("inf") if timeout is None else timeout)
        while (status := self.poll()) is None:
            if time.monotonic() > ends_at:
                raise subprocess.TimeoutExpired("a forked child", timeout or 0.0)
            time.sleep(_POLL_S)
        return status

    def kill(self) -> None:
        """End it at once; nothing happens where it was waited for."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)


def can_fork() -> bool:
    """Whether a fork of a process with threads and loaded libraries is usual here, as it is for data loaders."""
    return sys.platform == "linux"


def fork_process(work: Callable[[int], None]) -> ForkedProcess:
    """Fork; the child calls `work` with the descriptor that it is told something on, and runs nobody's clean-up.

    The child leads a session of its own, holds no descriptor of its parent (neither locks nor connections), and runs
    PyTorch on one thread, as the pool of threads is not there.

    Raises:
        OSError: the system refuses, as where memory is short.
    """
    pipes = [os.pipe() for _ in range(3)]
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # there may be none, or a closed one
            stream.flush()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads: nothing but imports runs in the child
            pid = os.fork()
    except BaseException:
        for end in (end for pipe in pipes for end in pipe):
            os.close(end)
        raise
    (ear, mouth), (output, out), (words, err) = pipes
    if pid == 0:
        _run(work, ear, out, err)
    for end in (ear, out, err):
        os.close(end)
    return ForkedProcess(pid, mouth, output, words)


def _run(work: Callable[[int], None], ear: int, out: int, err: int) -> NoReturn:
    """In the child. Nothing returns from here: the frames above belong to the parent."""
    status = 1
    try:
        gc.disable()  # what is collected here would be closed for the parent as well
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDONLY)
        ear = _move_up(ear)
        for source, target in ((null, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        os.dup2(ear, 3, inheritable=False)
        os.closerange(4, _MOST_DESCRIPTORS)
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), write_through=True)
        if (torch := sys.modules.get("torch")) is not None:
            torch.set_num_threads(1)
        work(3)
        status = 0
    except BaseException as error:  # noqa: BLE001 - the child ends here, and says why
        with contextlib.suppress(OSError):
            os.write(2, f"{type(error).__name__}: {error}\n".encode("utf-8", "replace"))
    finally:
        os._exit(status)


def _move_up(descriptor: int) -> int:
    """A copy of a descriptor above those that are overwritten."""
    copies = []
    while descriptor <= 3:
        copies.append(descriptor)
        descriptor = os.dup(descriptor)
    return descriptor
