"""Closed and full standard streams: a sentence and exit 2, or the answer as always; never an internal error."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cli.command import environment, write_model
from guard.throwaway import Throwaway

pytestmark = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
COMMANDS = {
    "list": "list --json",
    "explain": "explain T1-CAUSAL-001",
    "version": "--version",
    "help": "--help",
    "check": "check {model} --only T1-SHAPE",
    "an error": "check nowhere.py",
}


def run(folder: Path, command: str, redirected: str) -> subprocess.CompletedProcess[str]:
    words = f"{shlex.quote(sys.executable)} -m tierproof {command} {redirected}"
    return subprocess.run(
        ["bash", "-c", words],
        env=environment(folder, fake=False),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_without_stdout_it_is_2_and_a_sentence(tmp_path: Path, name: str) -> None:
    command = COMMANDS[name].format(model=write_model(tmp_path))
    for redirected in (">&-", ">/dev/full", "<&- >&-")[: 2 if name == "check" else 3]:
        done = run(tmp_path, command, redirected)
        assert done.returncode == 2, (redirected, done.stderr)
        if name == "an error":
            continue
        assert "standard output" in done.stderr, (redirected, done.stderr)
        assert "internal error" not in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_without_stderr_the_answer_is_the_same(tmp_path: Path, name: str) -> None:
    command = COMMANDS[name].format(model=write_model(tmp_path))
    plain = run(tmp_path, command, "")
    for redirected in ("2>&-", "2>/dev/full", "<&- 2>&-")[: 1 if name == "check" else 3]:
        done = run(tmp_path, command, redirected)
        assert done.returncode == plain.returncode, redirected
        assert len(done.stdout.splitlines()) == len(plain.stdout.splitlines()), redirected
        assert "internal error" not in done.stdout


def test_nothing_is_installed_without_a_place_for_the_result(tmp_path: Path) -> None:
    here = Throwaway(tmp_path)
    here.index.add("helper", "1.0")
    words = shlex.join([str(here.python), "-m", "tierproof", "install", "helper"])
    closed = subprocess.run(["bash", "-c", f"{words} >&-"], env=here.environment, cwd=tmp_path, check=False)
    assert closed.returncode == 2
    assert here.find_version("helper") is None
    silent = subprocess.run(
        ["bash", "-c", f"{words} --json 2>&-"],
        env=here.environment,
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert silent.returncode == 0
    assert json.loads(silent.stdout)["ok"]
    assert here.find_version("helper") == "1.0"


def test_an_ascii_locale_gets_every_answer(tmp_path: Path) -> None:
    here = Throwaway(tmp_path)
    for version in ("1.0", "2.0"):
        here.index.add("base", version)
    here.index.add("needs", "1.0", "base>=2")
    here.add_base("base==1.0")
    strict = {**here.environment, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = here.run("-m", "tierproof", "plan", "needs", env=strict, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "internal error" not in done.stderr
    assert "needs" in done.stdout
