"""Runs `tierproof preflight` on each notebook, in a process of its own, and keeps what it printed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from public_notebooks.notebook import Notebook

IMAGE = "colab:2026.07-gpu"
SOURCE = Path(__file__).resolve().parents[2] / "src"
_LIMIT_S = 900.0


def describe_environment(images: Path) -> dict[str, str]:
    """Variables for the command: the folder of images, and PyPI whatever pip is configured with here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    return {
        **kept,
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHONPATH": str(SOURCE),
        "TIERPROOF_IMAGES": str(images),
        "NO_COLOR": "1",
    }


def fetch_image(images: Path, lists: Path) -> None:
    """Take the list of the image from a folder of lists into a folder of images."""
    subprocess.run(
        [sys.executable, "-m", "tierproof", "images", "sync", "--from", str(lists)],
        check=True,
        capture_output=True,
        env=describe_environment(images),
    )


def run_preflights(
    notebooks: Iterable[Notebook], texts: Path, images: Path, out: Path, *, again: bool = False
) -> dict[str, dict[str, Any]]:
    """Give the JSON of each notebook whose text is there, by its name; what crashed has the key `crashed`.

    Args:
        notebooks: to judge.
        texts: folder of their texts.
        images: folder of images.
        out: folder where each answer is kept.
        again: judge also what is kept.
    """
    out.mkdir(parents=True, exist_ok=True)
    found = {}
    for notebook in notebooks:
        text = texts / notebook.file_name
        kept = out / Path(notebook.file_name).with_suffix(".json").name
        if not text.exists():
            continue
        if again or not kept.exists():
            kept.write_text(json.dumps(_judge(text, images)), encoding="utf-8")
            print(f"{notebook.name}: judged", file=sys.stderr, flush=True)
        found[notebook.name] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def _judge(text: Path, images: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tierproof", "preflight", str(text), "--image", IMAGE, "--json"]
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
            env=describe_environment(images),
        )
    except subprocess.TimeoutExpired:
        return {"crashed": f"no answer within {_LIMIT_S:.0f} s"}
    try:
        document: dict[str, Any] = json.loads(ended.stdout)
    except json.JSONDecodeError:
        return {"crashed": ended.stderr[-400:] or f"exit code {ended.returncode}"}
    return document
