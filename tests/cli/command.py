"""Run `python -m tierproof` as a user would, in a folder and a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
FAKES = Path(__file__).resolve().parent / "fakes"

MODEL = """
from torch import nn
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(65, 16)
        self.head = nn.Linear(16, 65)
{attributes}
    def forward(self, idx):
{before}
        return self.head(self.emb(idx))
"""


def write_model(folder: Path, before: str = "pass", attributes: str = "pass", name: str = "model.py") -> Path:
    def indent(text: str) -> str:
        return "\n".join(f"        {line}" for line in text.splitlines())

    path = folder / name
    path.write_text(MODEL.format(before=indent(before), attributes=indent(attributes)))
    return path


def environment(home: Path, *, fake: bool, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if name.startswith(("PATH", "LD_", "COV", "LANG"))
    }
    return {
        **kept,
        "HOME": str(home),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(FAKES), str(SOURCE)] if fake else [str(SOURCE)]),
        **(extra or {}),
    }


def arguments(*options: object) -> list[str]:
    return [sys.executable, "-m", "tierproof", *map(str, options)]


def run(
    folder: Path, *options: object, fake: bool = True, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    home = folder.parent / f"{folder.name}-home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        arguments(*options),
        cwd=folder,
        env=environment(home, fake=fake, extra=env),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def start(folder: Path, *options: object, fake: bool = True) -> subprocess.Popen[str]:
    home = folder.parent / f"{folder.name}-home"
    home.mkdir(exist_ok=True)
    return subprocess.Popen(
        arguments(*options),
        cwd=folder,
        env=environment(home, fake=fake),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below `folder` with its time and content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in folder.rglob("*")
    }
