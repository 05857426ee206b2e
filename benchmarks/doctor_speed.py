"""Part (doctor): what a diagnosis of 600 distributions takes, cold and warm, beside the file look-ups in it alone.

A live process has torch loaded meanwhile, so a diagnosis of the environment looks at its every file too.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from table import format_table

DISTRIBUTIONS, FILES, LARGE_EVERY, LARGE_FILES, LOADED = 600, 150, 60, 2000, 40
MOST_COLD_S, MOST_WARM_S = 3.0, 0.3
WARM_RUNS = 7
SOURCE = Path(__file__).resolve().parents[1] / "src"
_REQUIRES = "".join(f"Requires-Dist: package-{number:03}>=1.0\n" for number in range(12))
_DESCRIPTION = "A line of a description, as long ones are in real metadata.\n" * 60
_CODE = """
import importlib, json, os, sys, time
sys.path.insert(0, sys.argv[1])
for number in range(int(sys.argv[3])):
    importlib.import_module(f"package_{number:03}")
from tierproof.guard.mend.doctor import diagnose_environment, diagnose_this_process
diagnose = {"process": diagnose_this_process, "environment": diagnose_environment}[sys.argv[2]]
found = diagnose()
assert found.healthy, str(found)
looked, stat = [], os.stat
def note(path, **options):
    status = stat(path, **options)
    if not str(path).startswith("/proc/"):  # a process may be gone meanwhile
        looked.append(path)
    return status
os.stat = note
diagnose()
os.stat = stat
began = time.perf_counter()
for path in looked:
    stat(path)
print(json.dumps([found.checked, found.duration_s, len(looked), time.perf_counter() - began]))
"""
_HOLDER = "import torch; print('loaded', flush=True); input()"


def make_base(root: Path) -> int:
    """Write the distributions into `root`; how many files they have."""
    total = 0
    for number in range(DISTRIBUTIONS):
        name, files = f"package_{number:03}", LARGE_FILES if number % LARGE_EVERY == 59 else FILES
        lines = []
        for index in range(files):
            folder = root / name / (f"part_{index // 15:03}" if index >= 15 else "")
            if index % 15 == 0:
                folder.mkdir(parents=True, exist_ok=True)
            path = folder / ("__init__.py" if index == 0 else f"module_{index:04}.py")
            content = f"__version__ = '1.{number}'\n\n\ndef f():\n    return {index}\n".encode()
            path.write_bytes(content)
            lines.append(f"{path.relative_to(root)},{_digest(content)},{len(content)}")
            lines.append(f"{path.parent.relative_to(root)}/__pycache__/{path.stem}.cpython-311.pyc,,")
        info = root / f"{name}-1.{number}.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.{number}\n{_REQUIRES}\n{_DESCRIPTION}"
        for file, text in (("METADATA", metadata), ("INSTALLER", "pip\n"), ("WHEEL", "Wheel-Version: 1.0\n")):
            (info / file).write_text(text)
            lines.append(f"{info.name}/{file},{_digest(text.encode())},{len(text)}")
        (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/RECORD,,"]) + "\n")
        total += files + 4
    return total


def run() -> tuple[str, bool]:
    """The table, and whether every bar is met."""
    rows, met = [], True
    with tempfile.TemporaryDirectory(prefix="tierproof-doctor-") as folder, hold_torch():
        root = Path(folder) / "site-packages"
        root.mkdir()
        files = make_base(root)
        time.sleep(2.5)  # what has just changed is not yet taken as settled
        for asked in ("process", "environment"):
            data = Path(folder) / asked
            cold = diagnose(root, data, asked)
            warm = [diagnose(root, data, asked) for _ in range(WARM_RUNS)]
            for kind, runs, bar in (("cold", [cold], MOST_COLD_S), ("warm", warm, MOST_WARM_S)):
                seconds = statistics.median(run[1] for run in runs)
                good = seconds <= bar
                met &= good
                row = (asked, kind, f"{cold[0]}", f"{seconds:.2f}", f"{bar:.1f}", "met" if good else "MISSED")
                alone = statistics.median(run[3] for run in runs)
                looks = (
                    (f"{runs[0][2]}", f"{alone:.3f}", f"{seconds / alone:.1f}")
                    if kind == "warm"
                    else ("",) * 3
                )
                rows.append((*row, *looks))
    head = (
        f"{DISTRIBUTIONS} distributions of {files} files, {LOADED} loaded, and those of this environment; "
        f"a live process has torch loaded; warm: median of {WARM_RUNS}; "
        f"load average {os.getloadavg()[0]:.1f}"
    )
    columns = ("doctor of the", "", "distributions", "s", "bar", "", "look-ups", "alone, s", "ratio")
    return head + "\n" + format_table(columns, rows), met


@contextlib.contextmanager
def hold_torch() -> Iterator[None]:
    """Keep a process alive that has torch loaded."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != "loaded\n":
            raise RuntimeError("torch does not import")
        try:
            yield
        finally:
            holder.communicate("\n")


def diagnose(root: Path, data: Path, asked: str) -> tuple[int, float, int, float]:
    """Of one diagnosis in a process of its own: distributions, seconds; of a warm one after it: how many file
    look-ups it makes, and the seconds of these alone."""
    answer = subprocess.run(
        [sys.executable, "-B", "-c", _CODE, str(root), asked, str(LOADED)],
        env={**os.environ, "XDG_DATA_HOME": str(data), "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    checked, seconds, looks, alone_s = json.loads(answer.stdout)
    return checked, seconds, looks, alone_s


def _digest(content: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


if __name__ == "__main__":
    print(run()[0])
