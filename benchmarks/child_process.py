"""Measure in a fresh process, so that nothing earlier has grown its memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any


def run_child(script: str, *arguments: object) -> dict[str, Any]:
    """Run `script` with these arguments; the JSON document in the last line that it prints.

    Raises:
        SystemExit: it failed; with what it wrote to stderr.
    """
    command = [sys.executable, str(Path(script).resolve()), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


def read_peak_bytes() -> int:
    """The most memory that this process has held so far."""
    import resource

    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
