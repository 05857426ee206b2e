"""Ctrl-C, a kill and a crash: nothing survives, nothing is half written, one line says what happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli.command import environment, listing, run, start, write_model
from loopback import serve
from sampled import sample

HANG = """
import os, subprocess, time
sleeper = subprocess.Popen(['sleep', '600'])
print('PIDS', os.getpid(), sleeper.pid, flush=True)
time.sleep(600)
"""


def wait_for_pids(process: subprocess.Popen[str]) -> list[int]:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("PIDS"):
            return [int(word) for word in line.split()[1:]]
    raise AssertionError("the model never ran")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + 60
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, "a process was left behind"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_at_once(tmp_path, number):
    write_model(tmp_path, before=HANG)
    before = listing(tmp_path)
    process = start(tmp_path, "check", "model.py", "-o", "report.html", "-o", "report.json")
    pids = wait_for_pids(process)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert stdout == ""
    # What the model prints and how far the check is come by two pipes: a line of either may be the later, and a call
    # of the model that began while the signal was on its way has a sleeper of its own, which must be gone as well.
    lines = stderr.splitlines()
    pids += [int(word) for line in lines if line.startswith("PIDS") for word in line.split()[1:]]
    told = [line for line in lines if not line.startswith(("[", "running ", "PIDS"))]
    assert told == ["tierproof: interrupted before the command was finished."]
    assert not any(map(is_alive, pids))
    assert listing(tmp_path) == before


def test_the_death_of_the_command_leaves_no_orphan(tmp_path):
    write_model(tmp_path, before=HANG)
    process = start(tmp_path, "check", "model.py")
    pids = wait_for_pids(process)
    process.kill()
    process.communicate(timeout=60)
    wait_until_gone(pids)


@pytest.mark.parametrize(
    ("before", "words"),
    sample(
        [
            ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", ["SIGSEGV", "--debug"]),
            ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", ["SIGKILL", "memory"]),
            ("import os, signal\nos.kill(os.getpid(), signal.SIGABRT)", ["SIGABRT"]),
            ("import os\nos._exit(3)", ["exit status 3", "os._exit"]),
            ("import sys\nsys.exit(0)", ["sys.exit(0)"]),
            ("raise KeyError('odd one')", ["internal error", "KeyError", "--debug"]),
        ],
        2,
    ),
)
def test_a_child_that_dies_is_told(tmp_path, before, words):
    write_model(tmp_path, before=before)
    files = listing(tmp_path)
    process = run(tmp_path, "check", "model.py", "--json", "-o", "r.json", "--quiet")
    assert process.returncode == 2
    assert process.stdout == ""
    assert "Traceback" not in process.stderr
    for word in words:
        assert word in process.stderr
    assert listing(tmp_path) == files


def test_debug_shows_the_traceback_of_the_child(tmp_path):
    write_model(tmp_path, before="raise KeyError('odd one')")
    process = run(tmp_path, "check", "model.py", "--debug")
    assert process.returncode == 2
    assert "Traceback" in process.stderr
    assert "model.py" in process.stderr
    assert process.stderr.rstrip().splitlines()[-1].startswith("error: internal error: KeyError")


def test_a_process_that_outlives_the_check_is_ended(tmp_path):
    write_model(tmp_path, before=HANG.replace("time.sleep(600)", "pass"))
    process = start(tmp_path, "check", "model.py", "--json")
    pids = wait_for_pids(process)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert stdout.startswith("{")
    wait_until_gone(pids)
    assert os.getpid() not in pids


def test_an_interrupted_download_leaves_no_part(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    with serve() as site:
        at = "/owner/tiny/resolve/main"
        site.pages[f"{at}/config.json"] = b'{"model_type": "gpt2", "n_layer": 1}'
        site.pages[f"{at}/model.safetensors"] = b"\0" * (1 << 21)
        site.stall_paths.add(f"{at}/model.safetensors")
        process = start(folder, "check", "hf:owner/tiny", "--weights", "--hub-url", site.url, "--quiet")
        home = tmp_path / "work-home"
        deadline = time.monotonic() + 100
        while not list(home.rglob("*.part")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 2
    assert stderr.endswith("before the command was finished.\n")
    assert not list(home.rglob("*.part"))
    assert not list(home.rglob("*.safetensors"))


@pytest.mark.parametrize(
    "module", sample(["tierproof.cli", "tierproof.cli.terminal.interruption", "contextlib", "click"], 2)
)
def test_ctrl_c_while_the_command_is_still_being_imported(tmp_path, module):
    code = f"""
import importlib.abc, os, signal, sys
class Press(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
for name in [name for name in sys.modules if name.partition(".")[0] == {module!r}]:
    del sys.modules[name]
from tierproof.__main__ import run
sys.meta_path.insert(0, Press())
sys.argv = ["tierproof", "--help"]
sys.exit(run())
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path, fake=False),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "tierproof: interrupted before the command was finished.\n"


def test_ctrl_c_after_the_answer_does_not_take_it_back(tmp_path):
    code = """
import os, signal, sys
from tierproof.__main__ import run
sys.argv = ["tierproof", "--version"]
code = run()
os.kill(os.getpid(), signal.SIGINT)
sys.exit(code)
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(tmp_path, fake=False),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
