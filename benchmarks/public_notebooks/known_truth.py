"""The truth of each notebook as it was worked out last, so that a comparison needs no pip."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("truth.json")


def read_truth(path: Path = FILE) -> dict[str, dict[str, Any]]:
    """Read it, by the name of the notebook; nothing where there is no such file."""
    if not path.exists():
        return {}
    document: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["notebooks"]
    return document


def write_truth(truths: Mapping[str, Mapping[str, Any]], day: str, path: Path = FILE) -> None:
    """Write it with the day on which pip was asked; one notebook a line."""
    lines = [f"  {json.dumps(name)}: {json.dumps(truth)}" for name, truth in sorted(truths.items())]
    body = ",\n".join(lines)
    path.write_text(f'{{"asked": {json.dumps(day)}, "notebooks": {{\n{body}\n}}}}\n', encoding="utf-8")


def read_day(path: Path = FILE) -> str:
    """The day on which pip was asked last."""
    return str(json.loads(path.read_text(encoding="utf-8"))["asked"]) if path.exists() else ""
