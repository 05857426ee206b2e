"""A process ends with all that it started, and is collected."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tierproof.core.end_process import end_process, kill_group

PARENT_AND_CHILD = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""


def start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat[stat.rindex(")") + 1 :].split()[0] not in "ZX"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")
def test_the_whole_group_ends() -> None:
    process = start(PARENT_AND_CHILD)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    assert is_alive(child)
    end_process(process)
    assert process.returncode == -9
    assert process.stdout.closed
    ends_at = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < ends_at:
        time.sleep(0.01)
    assert not is_alive(child)


def test_what_has_ended_already_is_no_error() -> None:
    process = start("")
    process.wait()
    kill_group(process.pid)
    end_process(process)
    assert process.returncode == 0


def test_without_process_groups_the_process_alone_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    process = start("import time; time.sleep(60)")
    monkeypatch.delattr(os, "killpg")
    end_process(process)
    assert process.returncode == -9
