"""An error at every call of the operating system: exit ≠ 0 means the old state, and nothing is an internal error."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from guard.throwaway import TESTS, Throwaway
from scenarios.test_killed_heal import sweep as heal
from scenarios.test_killed_install import TOOL

# The first point and how many points apart, for each action, in the sample.
SAMPLE = (("install", 5, 83), ("uninstall", 3, 27), ("rollback", 4, 23), ("recover", 6, 55), ("gc", 2, 47))

# How many calls an action makes at least: with those of a heal, more than 800 in all.
LEAST = {"install": 300, "uninstall": 100, "rollback": 90, "recover": 200, "gc": 130}


def sweep(folder: Path, action: str, first: int, step: int, how: str = "once") -> list[dict[str, Any]]:
    here = Throwaway(folder)
    for name, version in (("helper", "1.0"), ("helper", "1.5"), ("newer", "1.0"), ("after", "1.0")):
        here.index.add(name, version)
    here.index.add("tool", "1.0", files=TOOL)
    temporary = folder / "tmp"
    temporary.mkdir()
    host = str(TESTS / "guard" / "failing_host.py")
    environment = {**here.environment, "TMPDIR": str(temporary)}
    done = here.run(host, action, str(first), str(step), how, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def judge(points: list[dict[str, Any]], action: str) -> Counter[str]:
    """Every point must hold; how many there were of each outcome."""
    for point in points:
        assert point["outcome"] in ("done", "refused"), (action, point)
        expected = "new" if point["outcome"] == "done" else "old"
        assert point["state"] == expected or point["same"], (action, point)
        assert point["whole"] or action == "recover", (action, point)
        assert point["next"], (action, point)
        assert point["left"] == [], (action, point)
    return Counter(point["outcome"] for point in points)


@pytest.mark.parametrize(("action", "first", "step"), SAMPLE, ids=[each[0] for each in SAMPLE])
def test_a_sample_of_points(tmp_path: Path, action: str, first: int, step: int) -> None:
    points = sweep(tmp_path, action, first, step)
    assert len(points) >= 4
    judge(points, action)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("action", [each[0] for each in SAMPLE])
def test_every_point(tmp_path: Path, action: str) -> None:
    points = sweep(tmp_path, action, 1, 1)
    assert len(points) >= LEAST[action]
    assert judge(points, action)["refused"] >= 10  # the other calls may fail without harm


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("action", [each[0] for each in SAMPLE])
def test_a_disk_that_stays_full(tmp_path: Path, action: str) -> None:
    judge(sweep(tmp_path, action, 1, 5, "lasting"), action)


def judge_heals(points: list[dict[str, Any]]) -> Counter[int]:
    """Each heal is done or refused; refused, the files are as they were, and the next heal works."""
    for point in points:
        assert point["status"] in (0, 1, 9), point
        assert point["between"] == ("torn" if point["status"] == 1 else "healed"), point
        assert point["state"] in ("old", "new"), point
        assert point["mine"] == "mine", point
        assert point["healed"], point
        assert point["left"] == [], point
    return Counter(point["status"] for point in points)


def test_a_sample_of_points_of_a_heal(tmp_path: Path) -> None:
    assert len(judge_heals(heal(tmp_path, 5, 41, "self", "fail"))) >= 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("target", ["host", "self"])
def test_every_point_of_a_heal(tmp_path: Path, target: str) -> None:
    assert judge_heals(heal(tmp_path, 1, 1, target, "fail"))[1] >= 20
