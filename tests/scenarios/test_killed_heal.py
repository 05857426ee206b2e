"""A heal that is killed at any change it makes to the disk leaves the old or the new, and the next one works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import packaging
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs fork and /proc")
TESTS = Path(__file__).resolve().parents[1]


def sweep(folder: Path, first: int, step: int, target: str, *how: str) -> list[dict[str, Any]]:
    folder = folder / target
    folder.mkdir()
    dependencies, data = folder / "dependencies", folder / "data"
    dependencies.mkdir()
    (folder / "host").mkdir()
    (dependencies / "packaging").symlink_to(Path(packaging.__file__).parent)
    path = os.pathsep.join(map(str, (TESTS.parent / "src", TESTS, dependencies)))
    run = subprocess.run(
        [
            sys.executable,
            "-S",
            TESTS / "guard" / "torn_host.py",
            folder / "host",
            str(first),
            str(step),
            target,
            *how,
        ],
        env={**os.environ, "PYTHONPATH": path, "XDG_DATA_HOME": str(data), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return [json.loads(line) for line in run.stdout.splitlines()]


def judge(points: list[dict[str, Any]]) -> Counter[str]:
    states: Counter[str] = Counter()
    for point in points:
        assert point["state"] in ("old", "new"), point
        assert point["healthy"] if point["state"] == "old" else point["same_tear"], point
        assert point["mine"] == "mine", point
        assert point["healed"], point
        assert point["left"] == [], point
        states[point["state"]] += point["status"] == -signal.SIGKILL
    return states


@pytest.mark.parametrize("target", ["host", "self"])
def test_a_dozen_points(tmp_path: Path, target: str) -> None:
    points = sweep(tmp_path, 6, 7, target)
    assert len(points) >= 12
    states = judge(points)
    assert min(states["old"], states["new"]) >= 1


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_point(tmp_path: Path) -> None:
    points = [*sweep(tmp_path, 1, 1, "host"), *sweep(tmp_path, 1, 1, "self")]
    assert sum(point["status"] == -signal.SIGKILL for point in points) >= 120
    assert any(point["settle_status"] == -signal.SIGKILL for point in points)
    states = judge(points)
    assert min(states["old"], states["new"]) >= 20
