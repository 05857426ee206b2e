"""Ctrl-Z in a terminal: a child in a process group of its own stops and continues with its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tierproof.core.stop_together import stop_together

_PARENT = """
import subprocess, sys
from tierproof.core.stop_together import stop_together
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
with stop_together(child.pid) as stops:
    print(child.pid, flush=True)
    sys.stdin.readline()
child.communicate(b"\\n")
print(child.returncode, stops.paused_s > 0, flush=True)
"""


def await_state(pid: int, states: str) -> None:
    ends_at = time.monotonic() + 30
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in states:
        assert time.monotonic() < ends_at
        os.sched_yield()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_both_stop_and_both_continue() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGTSTP)
        assert os.WIFSTOPPED(os.waitpid(parent.pid, os.WUNTRACED)[1])
        await_state(child, "T")
        parent.send_signal(signal.SIGCONT)
        await_state(child, "SR")
        parent.stdin.write("\n")
        parent.stdin.flush()
        assert parent.stdout.readline() == "0 True\n"


def test_a_child_that_has_ended_is_no_error_and_the_pause_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    ended.wait()
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *call: sent.append(call))
    with stop_together(ended.pid) as stops:
        handler = signal.getsignal(signal.SIGTSTP)
        assert callable(handler)
        handler(signal.SIGTSTP, None)
        assert signal.getsignal(signal.SIGTSTP) is handler
    assert sent == [(os.getpid(), signal.SIGTSTP)]
    assert stops.paused_s > 0
    assert signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL


def test_what_handles_the_signal_already_is_left_alone() -> None:
    before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        with stop_together(os.getpid()):
            assert signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTSTP, before)
    seen = []

    def look() -> None:
        with stop_together(os.getpid()):
            seen.append(signal.getsignal(signal.SIGTSTP))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]
