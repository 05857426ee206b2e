"""A package that is absent, and one that is broken: a box that says what to do, and exit 2."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cli.command import FAKES, SOURCE, listing, run, write_model

BROKEN = Path(__file__).parent / "broken_torch"


def test_torch_is_absent(tmp_path):
    write_model(tmp_path)
    before = listing(tmp_path)
    process = run(tmp_path, "check", "model.py", env={"HIDDEN_PACKAGE": "torch"})
    assert process.returncode == 2
    assert process.stdout == ""
    for words in (
        "torch is not installed",
        "pip install torch",
        "╭",
        "to check a model",
        "restart the kernel",
    ):
        assert words in " ".join(process.stderr.replace("│", " ").split())
    assert "Traceback" not in process.stderr
    assert listing(tmp_path) == before


def test_torch_is_broken(tmp_path):
    write_model(tmp_path)
    path = os.pathsep.join(map(str, (BROKEN, FAKES, SOURCE)))
    process = run(tmp_path, "check", "model.py", env={"PYTHONPATH": path})
    assert process.returncode == 2
    for words in ("torch is broken", "libtorch_cpu.so"):
        assert words in " ".join(process.stderr.replace("│", " ").split())
    assert "Traceback" not in process.stderr


def test_transformers_is_absent(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    process = run(tmp_path, "check", "hf:.", env={"HIDDEN_PACKAGE": "transformers"})
    assert process.returncode == 2
    assert "transformers is not installed" in process.stderr
    assert 'pip install "tierproof[hf]"' in process.stderr
