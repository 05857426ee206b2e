"""Runs a program that nobody need trust: every wait has a limit, and what it starts cannot hold us.

The child leads a process group of its own, which is ended with it. A daemon that leaves the group lives on, as
it would after any install, but its copy of our pipes does not: they are closed when the child itself has ended.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.end_process import kill_group
from tierproof.core.stop_together import Stops, stop_together
from tierproof.guard.system.fork_process import ForkedProcess

# Of each of the two streams; what a program says beyond that is dropped.
_MOST_BYTES = 16 << 20
_CHUNK_BYTES = 1 << 16
# How long to wait at a time where the system does not tell when a process ends.
_POLL_S = 0.02
_CHECK_S = 0.2
_REAP_LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended.

    Attributes:
        status: its exit status, a signal's is negative; None if it was ended at the limit.
        output: the beginning of what it wrote to stdout.
        words: the beginning of what it wrote to stderr.
    """

    status: int | None
    output: str
    words: str


class RunningChild:
    """A child that was started: told something, waited for, and ended with its process group.

    Args:
        process: the leader of a process group of its own.
    """

    def __init__(self, process: subprocess.Popen[bytes] | ForkedProcess) -> None:
        self._process = process

    def tell(self, text: str) -> None:
        """Write to its stdin and close it; a child that has ended already is not told."""
        if self._process.stdin is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(text.encode())
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def wait(self, limit_s: float, check: Callable[[], None] | None = None) -> Ended:
        """Wait until it has ended, at most `limit_s` seconds; nothing of its process group is left.

        Args:
            limit_s: after them it is ended.
            check: called now and then; what it raises ends the child and the wait.
        """
        try:
            with stop_together(self._process.pid) as stops:
                output, words, in_time = _listen(self._process, time.monotonic() + limit_s, stops, check)
        finally:
            self.end()
        status = self._process.returncode if in_time else None
        return Ended(status, output.decode("utf-8", "replace"), words.decode("utf-8", "replace"))

    def end(self) -> None:
        """End it with its process group; nothing happens where it was waited for."""
        if self._process.returncode is None:
            _end(self._process)


def start_child(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | str | None = None,
    most_memory_bytes: int = 0,
    largest_file_bytes: int = 0,
    listening: bool = False,
) -> RunningChild:
    """Start a command, which the caller must wait for or end.

    Args:
        command: the program and its arguments.
        environment: of it; this process's by default.
        folder: its working directory.
        most_memory_bytes: what it and each process that it starts may allocate, where the system can limit that
            (Linux); 0 for no limit.
        largest_file_bytes: how large a file they may write; likewise.
        listening: it is told something over its stdin, which is empty otherwise.

    Raises:
        OSError: it cannot be started.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=None if environment is None else dict(environment),
        stdin=subprocess.PIPE if listening else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    child = RunningChild(process)
    try:
        _limit(process.pid, "RLIMIT_DATA", most_memory_bytes)
        _limit(process.pid, "RLIMIT_FSIZE", largest_file_bytes)
    except BaseException:
        child.end()
        raise
    return child


def run_child(
    command: Sequence[str],
    *,
    limit_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | str | None = None,
    most_memory_bytes: int = 0,
    largest_file_bytes: int = 0,
    check: Callable[[], None] | None = None,
) -> Ended:
    """Run a command and wait for it, at most `limit_s` seconds; see `start_child` and `RunningChild.wait`.

    Raises:
        OSError: it cannot be started.
    """
    child = start_child(
        command,
        environment=environment,
        folder=folder,
        most_memory_bytes=most_memory_bytes,
        largest_file_bytes=largest_file_bytes,
    )
    return child.wait(limit_s, check)


def _listen(
    process: subprocess.Popen[bytes] | ForkedProcess,
    ends_at: float,
    stops: Stops,
    check: Callable[[], None] | None,
) -> tuple[bytearray, bytearray, bool]:
    """Read what the child says until it has ended; tell also whether that was in time."""
    output, words = bytearray(), bytearray()
    open_ends: dict[int, bytearray] = {}
    for stream, buffer in ((process.stdout, output), (process.stderr, words)):
        assert stream is not None
        os.set_blocking(stream.fileno(), False)
        open_ends[stream.fileno()] = buffer
    watched = _open_watch(process.pid)
    try:
        while not _has_ended(process):
            left = ends_at + stops.paused_s - time.monotonic()
            if left <= 0:
                return output, words, False
            waited_for = [*open_ends, *([] if watched is None else [watched])]
            if check is not None:
                check()
                left = min(left, _CHECK_S)
            _read_ready(open_ends, waited_for, left if watched is not None else min(left, _POLL_S))
    finally:
        if watched is not None:
            os.close(watched)
    while (
        open_ends and time.monotonic() < ends_at + stops.paused_s
    ):  # what it had said before it ended, and no more
        if not _read_ready(open_ends, list(open_ends), 0):
            break
    return output, words, True


def _read_ready(open_ends: dict[int, bytearray], waited_for: Sequence[int], limit_s: float) -> bool:
    """Wait until one can be read, and read a chunk of each that can; forget what is closed; tell if there was any."""
    with selectors.DefaultSelector() as selector:
        for descriptor in waited_for:
            selector.register(descriptor, selectors.EVENT_READ)
        ready = [key.fd for key, _ in selector.select(limit_s) if key.fd in open_ends]
    for descriptor in ready:
        try:
            chunk = os.read(descriptor, _CHUNK_BYTES)
        except BlockingIOError:
            continue
        buffer = open_ends[descriptor]
        buffer += chunk[: max(_MOST_BYTES - len(buffer), 0)]
        if not chunk:
            del open_ends[descriptor]
    return bool(ready)


def _open_watch(pid: int) -> int | None:
    """Give a descriptor that can be read once a process has ended; None where the system has none."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:  # a kernel or a sandbox without it
        return None


def _has_ended(process: subprocess.Popen[bytes] | ForkedProcess) -> bool:
    """Tell whether it has ended, and do not collect it: until then no other process gets its number."""
    if not hasattr(os, "waitid"):
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _end(process: subprocess.Popen[bytes] | ForkedProcess) -> None:
    """End the child with its group, close our ends of its pipes, and collect it."""
    if hasattr(os, "killpg"):
        kill_group(process.pid)
    with contextlib.suppress(OSError):
        process.kill()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    with contextlib.suppress(subprocess.TimeoutExpired):  # it hangs in the kernel, as on a dead network drive
        process.wait(_REAP_LIMIT_S)


def _limit(pid: int, name: str, most: int) -> None:
    if sys.platform != "linux" or not most:
        return
    import resource

    with contextlib.suppress(OSError, ValueError):  # it has ended, or a lower limit holds already
        resource.prlimit(pid, getattr(resource, name), (most, most))
