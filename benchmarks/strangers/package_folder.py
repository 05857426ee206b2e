"""The folder with the strangers' packages, installed without their dependencies."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PINS = Path(__file__).with_name("packages.txt")


def choose_folder() -> Path:
    """The default folder, below the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tierproof-benchmarks" / "strangers"


def read_pins(path: Path = PINS) -> list[str]:
    """The pinned requirements, without comments."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def prepare_folder(folder: Path, pins: Sequence[str]) -> dict[str, str]:
    """Install what the folder lacks, each package by itself, and give the reason for each that did not install."""
    folder.mkdir(parents=True, exist_ok=True)
    installed = folder / "installed.txt"
    present = set(installed.read_text(encoding="utf-8").split()) if installed.exists() else set()
    failed = {}
    for pin in pins:
        if pin in present:
            continue
        # Without its dependencies: one of them would bring another torch.
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
        ]
        done = subprocess.run(
            [*command, "--upgrade", "--target", str(folder), pin],
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        if done.returncode:
            failed[pin] = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1][:200]
            continue
        with installed.open("a", encoding="utf-8") as file:
            file.write(f"{pin}\n")
    return failed
