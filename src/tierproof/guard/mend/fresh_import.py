"""Whether a fresh process can import what this one has imported: tried before a restart is advised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_LIMIT_S = 60
# What a module prints goes to the error stream; the answers have the other one to themselves.
_CODE = """
import json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
paths, asked = json.load(sys.stdin)
sys.path += [path for path in paths if path not in sys.path]
def tell(*words):
    print(json.dumps(words), file=answers, flush=True)
for name, modules in asked:
    tell("begins", name)
    try:
        for module in modules:
            __import__(module)
    except BaseException as error:
        lines = (f"{type(error).__name__}: {error}".strip() or "it failed").splitlines()
        tell("failed", name, lines[0])
    else:
        tell("done", name)
"""


def try_imports(
    modules: Mapping[str, Sequence[str]], roots: Sequence[Path], interpreter: str = ""
) -> dict[str, str]:
    """Import modules in one fresh process, which leaves this one as it is.

    Args:
        modules: what to import, by distribution, in this order.
        roots: site directories that the process must see.
        interpreter: path of a Python; this one by default.

    Returns:
        The error of each distribution that could not be imported; a crash and an import without end are errors.
    """
    asked = [(name, list(wanted)) for name, wanted in modules.items() if wanted]
    if not asked:
        return {}
    given = json.dumps([[os.fspath(root) for root in roots], asked])
    try:
        result = subprocess.run(
            [interpreter or sys.executable, "-P", "-c", _CODE],
            input=given,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        text = said.decode(errors="replace") if isinstance(said, bytes) else said
        return _read(text, f"the import did not finish within {_LIMIT_S} s")
    ended = f"the process ended with signal {-result.returncode}" if result.returncode < 0 else ""
    return _read(result.stdout, ended or f"the process ended with exit code {result.returncode}")


def _read(text: str, ended: str) -> dict[str, str]:
    """Read the answers; of what has begun and has no answer, `ended` is the error."""
    begun, failed = "", dict[str, str]()
    for line in text.splitlines():
        try:
            kind, name, *rest = json.loads(line)
        except ValueError:  # cut off with the process
            continue
        begun = name if kind == "begins" else ""
        if kind == "failed":
            failed[name] = rest[0]
    if begun:
        failed[begun] = ended
    return failed
