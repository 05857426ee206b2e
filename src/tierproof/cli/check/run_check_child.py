"""Run the check in a child process that can be ended at any instant without a trace."""

from __future__ import annotations

import codecs
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from tierproof.cli.check.artifact_message import attach_artifacts
from tierproof.cli.check.check_request import CheckRequest
from tierproof.cli.check.hang_watch import STARTING, allowed_s, explain_hang
from tierproof.cli.terminal.error_message import rebuild_error
from tierproof.cli.terminal.show_progress import Listener
from tierproof.core.end_process import kill_group
from tierproof.core.json_value import JsonValue
from tierproof.core.report import Report
from tierproof.core.stop_together import Stops, stop_together
from tierproof.core.user_folders import find_user_cache_folder
from tierproof.errors import TierproofError
from tierproof.model.load.cached_download import remove_partial_downloads

_POLL_S = 0.2  # how soon a death is noticed that leaves the pipes open to others
_GRACE_S = 5.0  # how much longer than the child itself the parent waits before it calls it hanging
_LEAVE_S = 5.0  # time to leave by itself after the answer


def run_in_child(request: CheckRequest, listener: Listener) -> Report:
    """Check what `request` names in a process group of its own, and give the report.

    However this ends, no process of that group is left.

    Raises:
        TierproofError: as the child says, or when it died.
        RuntimeError: for an internal error of the child.
    """
    answers, for_child = os.pipe()
    try:
        process = _start(for_child)
    except BaseException:
        os.close(answers)
        raise
    finally:
        os.close(for_child)
    try:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died already; the answer tells
            process.stdin.write(request.to_line())
            process.stdin.flush()
        with stop_together(process.pid) as stops:
            message = _listen(process, answers, listener, request.timeout_s, stops)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE_S)
    finally:
        os.close(answers)
        _end(process, Path(request.cache_dir) if request.cache_dir else find_user_cache_folder())
    if message is None:
        raise _explain_death(process.returncode)
    if message["event"] == "error":
        error = message["error"]
        assert isinstance(error, Mapping)
        raise rebuild_error(error)
    report = message["report"]
    assert isinstance(report, Mapping)
    return attach_artifacts(Report.from_dict(report), message.get("artifacts"))


def _start(for_child: int) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    package_root = Path(__file__).resolve().parents[3]
    if package_root == Path.cwd():  # -P hides the current folder, from which this process was imported
        environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [environment.get("PYTHONPATH"), str(package_root)])
        )
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "tierproof.cli.check.check_child", str(for_child)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(for_child,),
        start_new_session=True,
        env=environment,
        bufsize=0,
    )


def _listen(
    process: subprocess.Popen[bytes], answers: int, listener: Listener, timeout_s: float, stops: Stops
) -> Mapping[str, JsonValue] | None:
    """Pass on what the child says until its last message; None when it ends without one.

    Raises:
        HangError: the child said nothing for longer than it should take to say that it hangs.
    """
    assert process.stdout is not None
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    buffered = b""
    ended = False
    stage, heard = STARTING, time.monotonic() - stops.paused_s
    with selectors.DefaultSelector() as selector:
        selector.register(answers, selectors.EVENT_READ)
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in selector.select(0 if ended else _POLL_S)}
            if process.stdout in ready and not _forward(process.stdout, decoder, listener):
                selector.unregister(process.stdout)
            if answers in ready:
                piece = os.read(answers, 1 << 20)
                *lines, buffered = (buffered + piece).split(b"\n")
                for line in lines:
                    message: Mapping[str, JsonValue] = json.loads(line)
                    if message["event"] != "progress":
                        _drain(process.stdout, decoder, listener)
                        return message
                    stage, heard = str(message["name"]), time.monotonic() - stops.paused_s
                    _show(message, listener)
                if not piece:
                    selector.unregister(answers)
            if ended and not ready:
                return None
            if time.monotonic() - stops.paused_s - heard > allowed_s(timeout_s, stage) + _GRACE_S:
                raise explain_hang(timeout_s, stage)
            ended = process.poll() is not None


def _show(message: Mapping[str, JsonValue], listener: Listener) -> None:
    done, total = message["done"], message["total"]
    assert isinstance(done, int)
    assert isinstance(total, int)
    listener.show(done, total, str(message["name"]))


def _forward(stream: IO[bytes], decoder: codecs.IncrementalDecoder, listener: Listener) -> bool:
    piece = os.read(stream.fileno(), 1 << 16)
    if text := decoder.decode(piece, final=not piece):
        listener.write(text)
    return bool(piece)


def _drain(stream: IO[bytes], decoder: codecs.IncrementalDecoder, listener: Listener) -> None:
    """Pass on what was printed before the last message."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(0) and _forward(stream, decoder, listener):
            pass


def _end(process: subprocess.Popen[bytes], cache: Path) -> None:
    kill_group(process.pid)
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    remove_partial_downloads(cache, process.pid)


def _explain_death(return_code: int) -> TierproofError:
    if return_code >= 0:
        return TierproofError(
            f"the process that ran the check ended with exit status {return_code} and no verdict",
            hint="Check whether the model's code calls os._exit. Its output is printed above.",
        )
    name = signal.Signals(-return_code).name
    hint = {
        signal.SIGKILL: (
            "Probably memory ran out. Check a smaller configuration, or leave checks out: --skip T1-MEM."
        ),
        signal.SIGSEGV: (
            "Native code crashed, in torch or in an extension that the model uses. Run with --debug to see where."
        ),
    }.get(signal.Signals(-return_code), "Native code crashed, or another process ended it. Run with --debug.")
    return TierproofError(
        f"the process that ran the check was killed by {name}, so there is no verdict", hint=hint
    )
