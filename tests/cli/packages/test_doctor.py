"""`tierproof doctor` and `heal` as a user runs them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.command import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_another_healthy_process(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", "print('up', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        answer = run(tmp_path, "doctor", "--pid", child.pid, "--json", fake=False)
        text = run(tmp_path, "doctor", "--pid", child.pid, fake=False)
        healed = run(tmp_path, "heal", "--pid", child.pid, "--json", fake=False)
        child.communicate(b"\n")
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert (document["format_version"], document["healthy"], document["torn"]) == (1, True, [])
    assert text.stdout.startswith("healthy")
    assert healed.returncode == 0, healed.stderr
    assert json.loads(healed.stdout)["healed"] == []


def test_what_cannot_be_judged_is_exit_2(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for command in ("doctor", "heal"):
        answer = run(tmp_path, command, "--pid", gone.pid, fake=False)
        assert answer.returncode == 2
        assert f"there is no process {gone.pid}" in answer.stderr
        assert answer.stdout == ""
    with subprocess.Popen(["sleep", "60"]) as other:
        answer = run(tmp_path, "doctor", "--pid", other.pid, fake=False)
        other.kill()
    assert answer.returncode == 2
    assert "is not a Python process" in answer.stderr
    assert run(tmp_path, "doctor", "--pid", "0", fake=False).returncode == 2
