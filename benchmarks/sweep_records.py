"""Records of a sweep, one JSON line each: read, added, told apart by the code that made them, heard from a child."""

from __future__ import annotations

import hashlib
import json
import os
import select
import time
from pathlib import Path
from typing import Any

Record = dict[str, Any]


def read_records(path: Path) -> list[Record]:
    """The records in a file; none where it does not exist. A line that a kill cut short is left out."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def append_record(out: Path, record: Record) -> None:
    """Add a line, on a line of its own also where a kill cut the last one short."""
    with out.open("a+b") as file:
        cut_short = file.tell() > 0 and out.read_bytes()[-1:] != b"\n"
        file.write(b"\n" * cut_short + json.dumps(record).encode() + b"\n")


def fingerprint_code(*folders: Path) -> str:
    """A digest of the Python files below some folders."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def read_until(reading: int, deadline: float) -> bytes | None:
    """All that a pipe gives; None when the deadline, of `time.monotonic`, passes first."""
    parts = []
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([reading], [], [], left)
        if ready:
            part = os.read(reading, 1 << 16)
            if not part:
                return b"".join(parts)
            parts.append(part)
    return None
