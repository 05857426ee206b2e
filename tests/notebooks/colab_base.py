"""A virtual environment that resembles Colab's, made once and kept outside the tree; tests get copies of it.

Copies share files by hard links: they take a second and no space, and installers replace files, they do not
write into them. A test at the end of `scenarios/test_hosted_notebooks.py` compares the base with what it was.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

# Versions of Colab 2026.07 where this Python can have them. torch comes by pip alone: it knows where the CPU build is.
REQUIREMENTS = (
    "numpy==2.0.2",
    "scipy==1.16.3",
    "pandas==2.2.2",
    "matplotlib==3.10.0",
    "torch==2.13.0",
    "transformers==5.13.1",
    "ipykernel==6.17.1",
    "ipython==7.34.0",
    "jinja2",
    "click",
    "rich",
    "packaging",
    "cloudpickle",
    "psutil",
    "pip",
)
ROOT = Path(__file__).resolve().parents[2]
_TIMEOUT_S = 1500
_CLOCK_GRAIN_S = 1.0  # of the doctor


def find_base() -> Path:
    """The base's folder, made where it is not there yet. Skips where no package index is reachable."""
    key = hashlib.sha256("\n".join([sys.version, *REQUIREMENTS]).encode()).hexdigest()[:12]
    root = Path(os.environ.get("TIERPROOF_TEST_BASES") or _cache_folder())
    root.mkdir(parents=True, exist_ok=True)
    base, done = root / f"colab-{key}", root / f"colab-{key}.done"
    with (root / f"colab-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(base, ignore_errors=True)
            _make(base)
            done.touch()
    return base


def copy_base(base: Path, target: Path) -> Path:
    """A copy of the base; its python."""
    command = ["cp", "-a", "--link", base, target]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        shutil.rmtree(target, ignore_errors=True)  # another file system
        subprocess.run(["cp", "-a", base, target], check=True)
    for info in list(target.glob("lib/python*/site-packages/*.dist-info")):
        # A link, or its end in another copy, changes a file's ctime: the doctor would take it as just installed.
        shutil.copytree(info, info.with_suffix(".own"))
        shutil.rmtree(info)
        info.with_suffix(".own").rename(info)
    time.sleep(2 * _CLOCK_GRAIN_S)  # so that a kernel starts later than all this, as on a hosted image
    return target / "bin" / "python"


def build_wheel(folder: Path) -> Path:
    """The wheel of this tree."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if built.returncode:
        pytest.skip(f"the wheel could not be built: {built.stderr[-300:]}")
    return next(folder.glob("tierproof-*.whl"))


def _make(base: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", base], check=True)
    python = base / "bin" / "python"
    for words in (["torch==2.13.0"], list(REQUIREMENTS)):
        made = subprocess.run(
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *words],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
        if made.returncode:
            shutil.rmtree(base, ignore_errors=True)
            pytest.skip(f"the base could not be made: {made.stderr[-300:]}")


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tierproof-tests"
