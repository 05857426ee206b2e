"""Whatever is killed at whatever moment: the state is the old or the new, healthy, and the next install works."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from guard.throwaway import TESTS, Throwaway

# How many points apart, and how many there are at least: more than 500 in all.
SWEEPS = (
    ("install", 1, 200),
    ("change", 2, 150),
    ("recover", 2, 70),
    ("uninstall", 1, 70),
    ("rollback", 1, 70),
    ("gc", 1, 120),
)
TOOL = {
    "tool.py": "__version__ = '1.0'\ndef main():\n    pass\n",
    "tool-1.0.dist-info/entry_points.txt": "[console_scripts]\ntool-run = tool:main\n",
}


def sweep(folder: Path, action: str, first: int, step: int, most: int = 100_000) -> list[dict[str, Any]]:
    here = Throwaway(folder)
    for name, version in (("helper", "1.0"), ("helper", "1.5"), ("newer", "1.0"), ("after", "1.0")):
        here.index.add(name, version)
    here.index.add("tool", "1.0", files=TOOL)
    done = here.run(str(TESTS / "guard" / "install_host.py"), action, str(first), str(step), str(most))
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def judge(points: list[dict[str, Any]], action: str) -> Counter[str]:
    states: Counter[str] = Counter()
    for point in points:
        assert point["state"] in ("old", "new"), (action, point)
        if not (action == "recover" and point["state"] == "old"):  # that is what was to be mended
            assert point["whole"], (action, point)
            assert point["imports"], (action, point)
        assert point["healthy"] or action == "recover", (action, point)
        assert point["next"], (action, point)
        assert point["scripts"], (action, point)
        assert point["left"] == [], (action, point)
        assert point["strays"] == [], (action, point)
        states[point["state"]] += 1
    return states


@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_a_few_points(tmp_path: Path, action: str) -> None:
    points = sweep(tmp_path, action, 5, 17, 4)
    assert len(points) >= 3
    judge(points, action)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("action", "step", "least"), SWEEPS)
def test_many_points(tmp_path: Path, action: str, step: int, least: int) -> None:
    points = sweep(tmp_path, action, 1, step)
    states = judge(points, action)
    print(f"{action}: killed at {len(points)} points: {dict(states)}")
    assert len(points) >= least
    if action not in ("gc", "recover"):  # which leave the present generation at its name
        assert min(states["old"], states["new"]) >= 1
