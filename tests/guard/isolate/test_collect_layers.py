"""Layers of workers are removed when nobody names them and nobody has used them for a while."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from guard.live_processes import wait_until
from tierproof.guard.isolate.collect_layers import collect_layers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def make_layer(shelf: Path, name: str, *, age_s: float) -> Path:
    layer = shelf / name
    (layer / "site").mkdir(parents=True)
    (layer / "site" / "module.py").write_text("x = 1\n")
    inventory = layer / "inventory.json"
    inventory.write_text("{}")
    then = time.time() - age_s
    os.utime(inventory, (then, then))
    return layer


def test_old_unused_layers_go_and_others_stay(tmp_path: Path) -> None:
    shelf = tmp_path / "isolated"
    old = make_layer(shelf, "old", age_s=7200)
    make_layer(shelf, "fresh", age_s=10)
    used = make_layer(shelf, "used", age_s=7200)
    (shelf / ".making-x").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", "input()"],
        env={**os.environ, "PYTHONPATH": str(used / "site")},
        stdin=subprocess.PIPE,
    ) as user:
        wait_until(lambda: str(used).encode() in Path(f"/proc/{user.pid}/environ").read_bytes())
        removed, kept = collect_layers(shelf)
        assert list(removed) == ["old"], kept
        assert removed["old"] == len("x = 1\n{}")
        assert kept == {"fresh": "it was used within the last hour", "used": f"process {user.pid} uses it"}
        user.communicate(b"\n")
    assert not old.exists()
    assert list(collect_layers(shelf)[0]) == ["used"]
    assert list(collect_layers(shelf, unused_for_s=5)[0]) == ["fresh"]


def test_no_shelf_is_nothing_to_do(tmp_path: Path) -> None:
    assert collect_layers(tmp_path / "isolated") == ({}, {})
