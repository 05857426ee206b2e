"""A base like a hosted notebook's, for the guard's benchmarks: a virtual environment, made once and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / ".bases"
SOURCE = Path(__file__).resolve().parents[1] / "src"
# torch by pip: the index that pip is configured with may have a CPU build that uv does not see.
PACKAGES = (
    "torch==2.13.0",
    "numpy==2.0.2",
    "scipy",
    "pandas",
    "matplotlib",
    "transformers",
    "requests",
    "huggingface-hub",
    "protobuf",
    "click",
    "packaging",
    "uv",
)


def make_base() -> Path:
    """Give the python of the base, which is installed at the first call."""
    python = FOLDER / "hosted" / "bin" / "python"
    if (FOLDER / "hosted" / "complete").exists():
        return python
    shutil.rmtree(FOLDER / "hosted", ignore_errors=True)
    print("making the base (once)", file=sys.stderr, flush=True)
    subprocess.run([sys.executable, "-m", "venv", FOLDER / "hosted"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    (FOLDER / "hosted" / "complete").touch()
    return python


def describe_environment(data: Path) -> dict[str, str]:
    """Environment variables for a process in the base whose additions are kept in `data`."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    return {**kept, "PYTHONPATH": str(SOURCE), "TIERPROOF_DATA": str(data), "NO_COLOR": "1"}
