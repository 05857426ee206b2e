"""Runs cells in IPython twice: with a pip that only writes down what it is told, and with the watch in front of it.

Run as `python judge_cells.py FOLDER CELLS.json watch|none`; prints one JSON line for each cell.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TESTS = Path(__file__).resolve().parents[2] / "tests"
_SOURCE = Path(__file__).resolve().parents[2] / "src"
_TOLD_OF_NUMPY = ("list", "freeze", "show")
_RECORDER = """#!{python} -I
import json, os, sys
arguments = sys.argv[1:]
kept = {{name: value for name, value in os.environ.items() if name.startswith("PIP_")}}
with open({record!r}, "a") as file:
    file.write(json.dumps([{name!r}, arguments, kept, os.getcwd()]) + "\\n")
if arguments[:1] and arguments[0] in {told!r}:
    print("numpy==2.0.2")
"""
_MODULE = """
import os, subprocess, sys
def main(arguments=None):
    return subprocess.call([{program!r}, *(sys.argv[1:] if arguments is None else arguments)])
"""
# Programs that a notebook has and this machine may lack; none of them does anything.
_STUBS = ("apt-get", "git", "wget", "curl", "unzip", "nvidia-smi", "man", "ping")
_RUNS_THE_REST = ("sudo",)
_SU = '#!/bin/sh\nwhile [ $# -gt 0 ]; do [ "$1" = -c ] && exec /bin/sh -c "$2"; shift; done\n'


@dataclass(frozen=True, slots=True)
class Answer:
    """What one cell did: whether it reached pip or uv, and changed numpy; whether it was stopped, and what was told."""

    reached: bool
    harms: bool
    stopped: bool
    notices: tuple[str, ...]


def _harms(program: str, arguments: list[str], variables: dict[str, str], folder: str) -> bool:
    """Judge the arguments of one command; apart from the product's own parser, which is what is measured."""
    words = list(arguments)
    if program == "uv":
        words = words[1:] if words[:1] == ["pip"] else []
    if words[:1] == ["uninstall"]:
        return "numpy" in words
    elsewhere = ("-t", "--target", "--prefix", "--dry-run", "--help")
    if words[:1] != ["install"] or any(word in elsewhere for word in words):
        return False
    asked = [word for word in words[1:] if not word.startswith("-")]
    files = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "-r"]
    files += variables.get("PIP_REQUIREMENT", "").split()
    for name in files:
        path = Path(folder, name)
        asked += path.read_text(encoding="utf-8").split() if path.exists() else []
    return any(word.startswith(("numpy==1", "numpy<2")) for word in asked)


def judge(cells: list[str] | tuple[str, ...], *, watched: bool) -> list[Answer]:
    """Run the cells in one shell, each in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="watch-cells-") as name:
        folder = Path(name)
        record = folder / "record.jsonl"
        programs, modules = folder / "bin", folder / "modules"
        programs.mkdir()
        _write_programs(programs, modules, record)
        (folder / "cells.json").write_text(json.dumps(list(cells)), encoding="utf-8")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "COV"))}
        environment = {
            **kept,
            # Its own python stands behind the programs: `python -m pip` finds the module that writes down.
            "PATH": os.pathsep.join(
                [str(programs), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
            ),
            "PYTHONPATH": os.pathsep.join([str(modules), str(_SOURCE), str(_TESTS)]),
            "IPYTHONDIR": str(folder / "ipython"),
            "XDG_DATA_HOME": str(folder / "data"),
            "PIP_CONFIG_FILE": os.devnull,
            "RECORD": str(record),
        }
        done = subprocess.run(
            [sys.executable, __file__, folder, "watch" if watched else "none"],
            env=environment,
            cwd=folder,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith('{"cell"')]
        if len(lines) != len(cells):
            raise RuntimeError(f"{len(lines)} of {len(cells)} cells were answered: {done.stderr[-2000:]}")
        return [_read(json.loads(line)) for line in lines]


def _read(document: dict[str, Any]) -> Answer:
    reached = document["reached"]
    harms = any(_harms(*each) for each in reached)
    return Answer(bool(reached), harms, bool(document["stopped"]), tuple(document["notices"]))


def _write_programs(programs: Path, modules: Path, record: Path) -> None:
    def write(name: str, text: str) -> None:
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)

    for name in ("pip", "pip3", "uv", "conda"):
        told = _RECORDER.format(
            python=sys.executable, record=str(record), name=name.rstrip("3"), told=_TOLD_OF_NUMPY
        )
        write(name, told)
    for name in _STUBS:
        write(name, "#!/bin/sh\nexit 0\n")
    for name in _RUNS_THE_REST:
        write(name, '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n')
    write("su", _SU)
    package = modules / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(_MODULE.format(program=str(programs / "pip")), encoding="utf-8")
    text = "from pip import main\nimport sys\nsys.exit(main())\n"
    (package / "__main__.py").write_text(text, encoding="utf-8")


def _serve(folder: Path, watched: bool) -> None:
    """Run in a process of its own: the shell, and the watch in it."""
    from IPython.core.interactiveshell import InteractiveShell

    cells = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
    record = Path(os.environ["RECORD"])
    shell = InteractiveShell.instance()
    told: list[str] = []
    if watched:
        from guard.wheelhouse import Wheelhouse, make_base
        from tierproof.extension.extension import Extension
        from tierproof.extension.watch import Watch
        from tierproof.guard.mend.diagnosis import Diagnosis

        house = Wheelhouse(folder / "house")
        for name, version in (("numpy", "1.26.4"), ("numpy", "2.0.2"), ("captum", "0.8"), ("optuna", "4.0")):
            house.add(name, version)
        os.environ.update(
            {**house.environment, "PIP_INDEX_URL": house.url, "HOME": os.environ.get("HOME", "/")}
        )
        base = make_base({"numpy": "2.0.2"}, loaded=["numpy"])
        watch = Watch(
            tell=lambda notice: told.append(notice.to_text()),
            capture=lambda: base,
            diagnose=lambda: Diagnosis((), 0, 0.0),
        )
        Extension(shell, watch).load()
    variables = dict(os.environ)
    answers = os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(quiet, stream)
    for number, cell in enumerate(cells):
        record.unlink(missing_ok=True)
        told.clear()
        place = folder / f"cell{number}"
        place.mkdir()
        os.chdir(place)
        shell.reset(new_session=False)
        result = shell.run_cell(cell)
        error = result.error_before_exec or result.error_in_exec
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
        answer = {
            "cell": number,
            "reached": [json.loads(line) for line in lines],
            "stopped": error is not None and "InstallStopped" in type(error).__name__,
            "notices": list(told),
        }
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(folder)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), sys.argv[2] == "watch")
