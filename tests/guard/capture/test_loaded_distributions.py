"""What this process and other live processes have loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from guard.wheelhouse import make_base
from tierproof.guard.capture import loaded_distributions
from tierproof.guard.capture.installed import capture_installed
from tierproof.guard.capture.loaded_distributions import find_loaded_by_live_processes


def test_what_this_process_imported_is_loaded() -> None:
    # In a process of its own: what others of these tests have imported is loaded here.
    code = (
        "import json, pytest\nfrom tierproof.guard.capture.installed import capture_installed\n"
        "from tierproof.guard.capture.loaded_distributions import find_loaded_here\n"
        "print(json.dumps(sorted(find_loaded_here(capture_installed()).names)))"
    )
    source = Path(__file__).resolve().parents[3] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(told.stdout))
    assert {"pytest", "packaging"} <= loaded
    assert not {"pip", "hypothesis"} & loaded


def test_what_a_live_process_maps_is_loaded() -> None:
    pytest.importorskip("numpy")
    if not Path("/proc/self/maps").exists():
        pytest.skip("needs /proc")
    code = "import numpy; print('ready', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        loaded = find_loaded_by_live_processes(capture_installed())
        child.communicate("\n")
    assert {"numpy", "pytest"} <= loaded.names
    assert "native library" in loaded.how_known


def test_where_nothing_can_be_seen_all_counts_as_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = make_base({"a": "1", "b": "2"}).installed
    monkeypatch.setattr(loaded_distributions, "iterate_python_processes", lambda: iter([Path("/proc/1")]))
    monkeypatch.setattr(loaded_distributions, "read_mapped_files", lambda _: None)
    assert find_loaded_by_live_processes(installed).names == {"a", "b"}
