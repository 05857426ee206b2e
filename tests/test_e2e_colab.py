"""The script that runs the notebooks on live Colab, with a stand-in for Google's command."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Keeps a log; `exec -f NOTEBOOK` leaves NOTEBOOK_output.ipynb with one output, as Google's command does.
STAND_IN = """#!{python}
import json, sys
from pathlib import Path
words = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(" ".join(words[:1]) + "\\n")
if "-f" in words:
    path = Path(words[words.index("-f") + 1])
    output = {output!r}
    path.with_name(path.stem + "_output.ipynb").write_text(json.dumps({{"cells": [{{"outputs": [output]}}]}}))
elif words[0] == "exec":
    assert "TIERPROOF_SOURCE" in sys.stdin.read()
"""
PASSED = {"output_type": "execute_result", "data": {"text/plain": ["✓ Verdict: passed. ", "No check"]}}
FAILED = {"output_type": "error", "ename": "ValueError", "evalue": "no"}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("e2e_colab", ROOT / "scripts" / "e2e_colab.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "build_wheel", lambda _: tmp_path / "tierproof.whl")
    monkeypatch.setattr(sys, "argv", ["e2e_colab.py"])
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return module


def stand_in(folder: Path, output: object) -> Path:
    (folder / "bin").mkdir()
    program, log = folder / "bin" / "colab", folder / "log"
    program.write_text(STAND_IN.format(python=sys.executable, log=str(log), output=output))
    program.chmod(0o755)
    return log


def test_without_the_command_it_says_that_it_was_not_run(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script.main() == 2
    assert "NOT RUN" in capsys.readouterr().err


def test_it_runs_all_three_and_gives_the_session_back(script: ModuleType, tmp_path: Path) -> None:
    log = stand_in(tmp_path, PASSED)
    assert script.main() == 0
    assert log.read_text().split() == ["new", "upload", "exec", "exec", "exec", "exec", "stop"]


def test_an_error_in_a_cell_is_a_problem(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(tmp_path, FAILED)
    assert script.main() == 1
    assert "validate: ValueError: no" in capsys.readouterr().out


def test_a_command_that_fails_still_stops_the_session(script: ModuleType, tmp_path: Path) -> None:
    log = stand_in(tmp_path, PASSED)
    program = tmp_path / "bin" / "colab"
    program.write_text(program.read_text() + "sys.exit(words[0] == 'upload')\n")
    assert script.main() == 2
    assert log.read_text().split() == ["new", "upload", "stop"]


def test_the_guide_says_plainly_that_it_has_not_been_run() -> None:
    assert "**Not run so far.**" in (ROOT / "docs" / "e2e-colab.md").read_text()
