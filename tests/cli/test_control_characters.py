"""What others wrote into a notebook, a list or a name never reaches a terminal as an order to it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from cli.command import arguments, environment, write_model
from guard.wheelhouse import Wheelhouse
from sampled import sample

HOSTILE = "\x1b]0;evil\x07\x1b[2J\x9b31m\u202e\r"
CELLS = ['%conda install "a{}"', '!python "my{}.py"', '!pip install capt "{}foo"', '!pip install -r "r{}.txt"',
         '!pip install "capt{}"', '!uv pip install "numb=={}2.0"']  # fmt: skip
# What tierproof and rich send of their own: colours, the cursor, the present line.
OWN = re.compile(r"\x1b\[(?:\d+;?)*m|\x1b\[\?25[lh]|\x1b\[(?:1A|2K)|\r|\x1b\]8;[^\x1b]*\x1b\\")
ORDERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]|evil\x07")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a hostile notebook, list and model."""
    work = tmp_path / "work"
    work.mkdir()
    cells = [
        {
            "cell_type": "code",
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "source": cell.format(HOSTILE),
        }
        for cell in CELLS
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    (work / "nb.ipynb").write_text(json.dumps(notebook))
    (work / f"n{HOSTILE}.ipynb").write_text(json.dumps(notebook))
    (work / "freeze.txt").write_text(f"numb==1.0\npand==1.0\nother==1.0\nbad{HOSTILE}==1\n")
    attributes = "import torch\nself.weight = torch.nn.Parameter(torch.zeros(3))"
    write_model(work, before=f"raise ValueError({HOSTILE!r})", attributes=attributes)
    return work


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    house = Wheelhouse(tmp_path / "house")
    house.add("numb", "1.0")
    house.add("numb", "2.0")
    house.add("pand", "1.0")
    house.add("other", "1.0")
    house.add("capt", "0.9", "numb>=1")
    kept = {
        **house.environment,
        "TIERPROOF_IMAGES": str(tmp_path / "images"),
        "TIERPROOF_CACHE": str(tmp_path / "cache"),
        "TIERPROOF_DATA": str(tmp_path / "data"),
    }
    return {**environment(tmp_path, fake=False, extra=kept), "TERM": "xterm"}


def run_piped(folder: Path, variables: dict[str, str], *words: object) -> str:
    done = subprocess.run(
        arguments(*words), cwd=folder, env=variables, capture_output=True, check=False, timeout=120
    )
    return (done.stdout + done.stderr).decode()


def run_in_terminal(folder: Path, variables: dict[str, str], *words: object) -> str:
    """What a terminal is sent, without what tierproof itself means to send."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        arguments(*words), cwd=folder, env=variables, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    written = b""
    try:
        while piece := os.read(master, 65536):
            written += piece
    except OSError:  # the other end is closed
        pass
    os.close(master)
    process.wait(120)
    return OWN.sub("", written.decode())


COMMANDS = {
    "preflight": ("preflight", "nb.ipynb", "--image", "all"),
    "preflight of a file": ("preflight", f"n{HOSTILE}.ipynb", "--image", "all"),
    "plan": ("plan", f"capt{HOSTILE}"),
    "plan on an image": ("plan", f"capt=={HOSTILE}", "--image", "all"),
    "a file that is absent": ("install", "-r", f"{HOSTILE}.txt"),
    "an unknown option": ("plan", f"--x{HOSTILE}"),
    "images watch": ("images", "watch", "nb.ipynb", "--image", "a:1", "--report", "reports", "--no-sync"),
    "images add": ("images", "add", "freeze.txt", "--name", "b:1", "--python", "3.12"),
    "check": ("check", "model.py"),
    "doctor": ("doctor",),
    "an error with its traceback": ("check", f"no{HOSTILE}.py", "--debug"),
}


@pytest.mark.parametrize("name", sample(list(COMMANDS), 3))
@pytest.mark.parametrize("run", [run_piped, run_in_terminal])
def test_no_order_reaches_the_terminal(folder: Path, variables: dict[str, str], run, name: str) -> None:  # type: ignore[no-untyped-def]
    made = run_piped(folder, variables, "images", "add", "freeze.txt", "--name", "a:1", "--python", "3.12")
    assert "Added a:1" in made
    assert not ORDERS.findall(made)
    told = run(folder, variables, *COMMANDS[name])
    assert told.strip()
    assert name == "doctor" or "\ufffd" in told or r"\x1b" in told  # shown as what it is, in an error quoted
    assert not ORDERS.findall(told), told
    assert "Traceback" in told if "--debug" in COMMANDS[name] else "internal error" not in told
    for report in folder.glob("reports/*.md"):
        assert not ORDERS.findall(report.read_text())
