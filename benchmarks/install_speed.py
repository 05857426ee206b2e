"""Part: an addition into a live kernel, against pip's install and bare uv, in turns in one run."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from hosted_base import describe_environment, make_base
from table import format_table

ROUNDS = 7
REQUEST = ("captum", "optuna")
LEAST_FASTER_THAN_PIP = 4.0
MOST_OVER_UV_S, MOST_OVER_UV_SHARE = 1.0, 1.2
MOST_WHOLE_SHARE, MOST_COLD_SHARE = 0.5, 0.8
MOST_ACTIVATION_S = 0.1

# A kernel with its packages loaded, that installs, takes away, and activates what is there already.
_LIVE = """
import json, sys
import numpy, pandas, torch
import tierproof as tp
first = tp.install(*sys.argv[1:], trial=False)
tp.uninstall(*sys.argv[1:])
again = tp.install(*sys.argv[1:], trial=False)
print(json.dumps({"parts": dict(first.parts_s), "again": again.parts_s["activate"],
                  "pins": [f"{item.name}=={item.version}" for item in first.added]}))
"""
# The whole call, with its trial, as a person waits for it.
_WHOLE = """
import json, sys, time
import numpy, pandas, torch
import tierproof as tp
started = time.perf_counter()
receipt = tp.install(*sys.argv[1:])
print(json.dumps({"whole": time.perf_counter() - started, "trial": receipt.parts_s["trial"]}))
"""


def run() -> tuple[str, bool]:
    """The table, and whether every bar is met."""
    python = make_base()
    times: dict[str, list[float]] = {}

    def note(name: str, seconds: float) -> None:
        times.setdefault(name, []).append(seconds)

    pins: list[str] = []
    for number in range(ROUNDS + 1):  # the first fills caches
        with tempfile.TemporaryDirectory() as folder:
            live = _ask(python, Path(folder), _LIVE)
            whole = _ask(python, Path(folder, "whole"), _WHOLE)
            cold_s = _time_cold(python, Path(folder, "cold"))
            pins = live["pins"]
            uv_s = _time([python.parent / "uv", "pip", "install", "-q", "--no-deps", "--link-mode", "copy",
                          "--python", python, "--target", Path(folder, "uv"), *pins])  # fmt: skip
            pip_s = _time([python, "-m", "pip", "install", "-q", "--prefix", Path(folder, "pip"), *REQUEST])
            modules = "import captum, optuna, alembic, colorlog, mako, sqlalchemy"
            path = f"import sys; sys.path.append({str(Path(folder, 'uv'))!r}); {modules}"
            bare_s = _time([python, "-c", path])
        if number:
            for part, seconds in live["parts"].items():
                note(part, seconds)
            note("all", sum(live["parts"].values()))
            note("again", live["again"])
            note("trial", whole["trial"])
            note("whole", whole["whole"])
            note("cold", cold_s)
            note("uv", uv_s)
            note("pip", pip_s)
            note("bare import", bare_s)
    return _judge({name: statistics.median(values) for name, values in times.items()}, pins)


def _ask(python: Path, data: Path, code: str) -> Any:
    done = subprocess.run(
        [python, "-c", code, *REQUEST],
        env=describe_environment(data),
        capture_output=True,
        text=True,
        check=False,
    )
    _clear(python)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout.splitlines()[-1])


def _time_cold(python: Path, data: Path) -> float:
    """The command in a terminal, from its start to its end."""
    started = time.perf_counter()
    subprocess.run(
        [python, "-m", "tierproof", "install", *REQUEST],
        env=describe_environment(data),
        check=True,
        capture_output=True,
    )
    seconds = time.perf_counter() - started
    _clear(python)
    return seconds


def _clear(python: Path) -> None:
    for path in python.parent.parent.glob("lib/python*/site-packages/tierproof-packages.pth"):
        path.unlink()


def _time(command: list[object]) -> float:
    started = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return time.perf_counter() - started


def _judge(seconds: dict[str, float], pins: list[str]) -> tuple[str, bool]:
    over_uv_bar = MOST_OVER_UV_S + MOST_OVER_UV_SHARE * seconds["uv"]
    faster = seconds["pip"] / seconds["all"]
    share = seconds["whole"] / seconds["pip"]
    cold = seconds["cold"] / seconds["pip"]
    bars = [
        faster >= LEAST_FASTER_THAN_PIP,
        seconds["all"] <= over_uv_bar,
        share <= MOST_WHOLE_SHARE,
        cold <= MOST_COLD_SHARE,
        seconds["again"] <= MOST_ACTIVATION_S,
    ]
    parts = ", ".join(
        f"{name} {seconds[name]:.2f}" for name in ("plan", "stage", "verify", "activate") if name in seconds
    )
    rows = [
        ("plan, stage, verify, activate", f"{seconds['all']:.2f} s", parts, ""),
        (
            "pip install, same base",
            f"{seconds['pip']:.2f} s",
            f"{faster:.1f} x; bar {LEAST_FASTER_THAN_PIP:.0f} x",
            _say(bars[0]),
        ),
        (
            "bare uv pip install --target",
            f"{seconds['uv']:.2f} s",
            f"bar 1.0 s + 1.2 x that = {over_uv_bar:.2f} s",
            _say(bars[1]),
        ),
        (
            "the whole tp.install, trial included",
            f"{seconds['whole']:.2f} s",
            f"{share:.2f} x pip; bar {MOST_WHOLE_SHARE} x; {seconds['trial']:.2f} s of it wait for the trial",
            _say(bars[2]),
        ),
        (
            "tierproof install, cold, trial included",
            f"{seconds['cold']:.2f} s",
            f"{cold:.2f} x pip; bar {MOST_COLD_SHARE} x",
            _say(bars[3]),
        ),
        ("bare python -c import of the same", f"{seconds['bare import']:.2f} s", "", ""),
        (
            "activation of what is there",
            f"{1e3 * seconds['again']:.0f} ms",
            f"bar {1e3 * MOST_ACTIVATION_S:.0f} ms",
            _say(bars[4]),
        ),
    ]
    head = (
        f"{' '.join(REQUEST)} into a kernel with numpy, pandas and torch loaded; median of {ROUNDS}; "
        f"adds {', '.join(pins)}"
    )
    return f"{head}\n{format_table(('what', 'time', '', ''), rows)}", all(bars)


def _say(met: bool) -> str:
    return "met" if met else "MISSED"
