"""One worker process: how it is started, listened to, interrupted and ended."""

from __future__ import annotations

import codecs
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from tierproof.errors import UsageError
from tierproof.guard.isolate.channel import Channel, Message
from tierproof.guard.isolate.parcel import Parcel
from tierproof.guard.isolate.readable import find_readable
from tierproof.guard.isolate.warden import STATUS
from tierproof.guard.isolate.worker_error import WorkerError

_LAST_WORDS = 2000
_LEAVE_S = 5.0
_PIECE_BYTES = 1 << 16


class TimedOut(Exception):  # noqa: N818 - no error of its own: the caller says what was late
    """The time limit of `listen` has passed."""


class WorkerProcess:
    """A process group with a worker in it. Use `start_process`."""

    def __init__(
        self,
        warden: subprocess.Popen[bytes],
        channel: Channel,
        lifeline: socket.socket,
        streams: Sequence[int],
    ) -> None:
        self.pid = 0
        self.last_words = ""
        self._warden = warden
        self._channel = channel
        self._lifeline = lifeline
        self._outputs = {
            descriptor: _Output(name) for descriptor, name in zip(streams, ("stdout", "stderr"), strict=True)
        }

    def is_alive(self) -> bool:
        """Tell whether it can be called: it has neither ended nor said that it leaves."""
        if self._warden.poll() is not None:
            return False
        return not find_readable(
            [self._channel.fileno(), self._lifeline.fileno()], 0
        )  # between two calls it has nothing to say but good-bye

    def send(self, header: Mapping[str, Any], parcel: Parcel | None = None) -> None:
        """Send a message; a process that is gone is noticed when its answer is awaited."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._channel.send(header, parcel)

    def listen(self, ends_at: float | None) -> Message | None:
        """Pass on what is printed until a message arrives; None if the process ended without one.

        Args:
            ends_at: until when, by the monotonic clock.

        Raises:
            TimedOut: then nothing had arrived.
        """
        while True:
            message = self._channel.take()
            if message is not None:
                self._drain()
                return message
            rest = None if ends_at is None else ends_at - time.monotonic()
            if rest is not None and rest <= 0:
                raise TimedOut
            ready = find_readable([self._channel.fileno(), *self._outputs], rest)
            for descriptor in [each for each in self._outputs if each in ready]:
                self._forward(descriptor)
            if self._channel.fileno() in ready and not self._channel.read():
                self._drain()
                return None

    def interrupt(self) -> None:
        """Send it and what it has started what Ctrl-C sends."""
        with contextlib.suppress(OSError):
            os.killpg(self.pid, signal.SIGINT)

    def end(self) -> int | None:
        """End it and all that it has started; its exit code (a signal's is negative), or None if unknown."""
        try:
            return self._end()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close what leads to it: the warden takes it for our end, and ends what is left."""
        self._channel.close()
        self._lifeline.close()
        for descriptor in self._outputs:
            os.close(descriptor)
        self._outputs = {}
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._warden.wait(_LEAVE_S)

    def _end(self) -> int | None:
        code = self._wait_for_code(0.2)
        with contextlib.suppress(OSError):
            self._lifeline.shutdown(socket.SHUT_WR)  # the warden takes it for our end
        if code is None:
            code = self._wait_for_code(_LEAVE_S)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._warden.wait(_LEAVE_S)
        if self._warden.poll() is None:
            self._warden.kill()  # then the worker dies with it
            self._warden.wait()
        self._drain()
        return code

    def _wait_for_code(self, limit_s: float) -> int | None:
        if self._lifeline.fileno() < 0:
            return None
        with contextlib.suppress(OSError):
            if find_readable([self._lifeline.fileno()], limit_s):
                answer = self._lifeline.recv(STATUS.size)
                return int(STATUS.unpack(answer)[0]) if len(answer) == STATUS.size else None
        return None

    def _drain(self) -> None:
        """Pass on what was printed until now."""
        while self._outputs:
            ready = find_readable(self._outputs, 0)
            if not ready:
                return
            for descriptor in ready:
                self._forward(descriptor)

    def _forward(self, descriptor: int) -> None:
        piece = os.read(descriptor, _PIECE_BYTES)
        text = self._outputs[descriptor].pass_on(piece)
        self.last_words = (self.last_words + text)[-_LAST_WORDS:]
        if not piece:
            os.close(descriptor)
            del self._outputs[descriptor]


class _Output:
    """One output stream of a worker, passed on to the stream of that name here, whatever stands there now."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def pass_on(self, piece: bytes) -> str:
        text = self._decoder.decode(piece, final=not piece)
        stream: TextIO | None = getattr(sys, self._name)
        if text and stream is not None:
            stream.write(text)
            stream.flush()
        return text


def find_folder() -> str:
    """The current folder, or the root if it was removed, because Python cannot start in a removed folder."""
    try:
        return os.getcwd()  # noqa: PTH109
    except OSError:
        return os.sep


def start_process(environment: Mapping[str, str]) -> WorkerProcess:
    """Start a warden and its worker, in a session of their own, with this interpreter.

    Args:
        environment: of both.

    Raises:
        UsageError: this system cannot hand memory from process to process, or there is no interpreter to start.
        WorkerError: the system could not start another process.
    """
    if not hasattr(socket, "send_fds") or not hasattr(os, "fork"):
        raise UsageError(
            "tp.isolated does not work on Windows",
            hint="Use `tierproof run --with REQ -- CMD`: it runs a program with its own packages.",
        )
    if not sys.executable:
        raise UsageError(
            "sys.executable is empty, so there is no interpreter to start a worker process with",
            hint="Set sys.executable to the path of this Python. It is empty where Python is embedded in a program.",
        )
    ours, theirs = socket.socketpair()
    lifeline, their_lifeline = socket.socketpair()
    reads, writes = zip(os.pipe(), os.pipe(), strict=True)
    script = Path(__file__).with_name("worker_main.py")
    command = [sys.executable, "-P", "-u", *(["-s"] if sys.flags.no_user_site else []), str(script)]
    command += [str(theirs.fileno()), str(their_lifeline.fileno()), str(os.getpid()), str(script.parents[3])]
    try:
        warden = subprocess.Popen(
            command,
            env=dict(environment),
            cwd=find_folder(),
            stdin=subprocess.DEVNULL,
            stdout=writes[0],
            stderr=writes[1],
            pass_fds=(theirs.fileno(), their_lifeline.fileno()),
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        lifeline.close()
        for descriptor in reads:
            os.close(descriptor)
        raise WorkerError(
            f"cannot start a worker process with {sys.executable}: {error.strerror or error}",
            hint="Check that this file exists, and that memory and processes are left (`ulimit -u`).",
        ) from error
    finally:
        theirs.close()
        their_lifeline.close()
        for descriptor in writes:
            os.close(descriptor)
    return WorkerProcess(warden, Channel(ours), lifeline, reads)
