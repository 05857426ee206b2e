"""The guard's tests on every other CPython that is at hand, on a base without torch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from guard.notebook_kernel import find_uv

ROOT = Path(__file__).resolve().parents[2]
VERSIONS = ("3.11", "3.12", "3.13")
TESTS = (
    "tests/guard",
    "tests/extension",
    "tests/cli/packages/test_plan.py",
    "tests/scenarios/test_adversity.py",
    "tests/scenarios/test_canonical_watch.py",
    "tests/scenarios/test_heal_from_outside.py",
    "tests/scenarios/test_hostile_wheels.py",
    "tests/scenarios/test_isolated_in_a_notebook.py",
    "tests/scenarios/test_killed_heal.py",
    "tests/scenarios/test_killed_install.py",
    "tests/scenarios/test_list_of_tears.py",
    "tests/scenarios/test_overlapping_heals.py",
    "tests/scenarios/test_shadow_install.py",
    "tests/scenarios/test_tear.py",
    "tests/scenarios/test_two_kernels.py",
    "tests/scenarios/test_watch_in_a_kernel.py",
)
PACKAGES = (
    "pytest", "pytest-timeout", "pytest-xdist", "hypothesis", "packaging", "click", "rich", "uv", "numpy",
    "ipykernel", "jupyter_client", "cloudpickle", "pip",
)  # fmt: skip


def find_interpreter(version: str) -> str:
    """A CPython of that version: on PATH, known to uv, or beside the running one as version managers put them."""
    found = subprocess.run(
        [find_uv(), "python", "find", "--no-python-downloads", "--system", version],
        capture_output=True,
        text=True,
        check=False,
    )
    candidates = [found.stdout.strip()] if found.returncode == 0 else []
    candidates += [shutil.which(f"python{version}") or ""]
    versions = Path(sys.base_prefix).parent
    candidates += [str(path) for path in versions.glob(f"{version}.*/bin/python")]
    for candidate in candidates:
        if candidate and Path(candidate).exists():
            told = subprocess.run(
                [candidate, "-c", "import sys; print(sys.version)"],
                capture_output=True,
                text=True,
                check=False,
            )
            if told.stdout.startswith(f"{version}."):
                return candidate
    return ""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "version", [each for each in VERSIONS if sys.version_info[:2] != tuple(map(int, each.split(".")))]
)
def test_the_guard_on(version: str, tmp_path: Path) -> None:
    interpreter = find_interpreter(version)
    if not interpreter:
        pytest.skip(f"no CPython {version} here")
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([find_uv(), "venv", "-q", "--python", interpreter, tmp_path / "env"], check=True)
    made = subprocess.run(
        [find_uv(), "pip", "install", "-q", "--python", python, *PACKAGES],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no package index: {made.stderr[-300:]}")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COVERAGE", "COV_", "PYTEST"))
    }
    done = subprocess.run(
        [
            python,
            "-m",
            "pytest",
            "-q",
            "-m",
            "not slow",
            "-p",
            "no:cacheprovider",
            "--basetemp",
            tmp_path / "base",
            *TESTS,
        ],
        cwd=ROOT,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", "VIRTUAL_ENV": str(tmp_path / "env")},
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout[-4000:])
    assert done.returncode == 0
