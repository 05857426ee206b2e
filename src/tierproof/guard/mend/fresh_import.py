"""Whether a fresh process can import what this one has imported: tried before a restart is advised."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tierproof.guard.system.run_child import start_child

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
    child = start_child([interpreter or sys.executable, "-P", "-c", _CODE], listening=True)
    child.tell(given)
    ended = child.wait(_LIMIT_S)
    if ended.status is None:
        return _read(ended.output, f"the import did not finish within {_LIMIT_S} s")
    how = f"signal {-ended.status}" if ended.status < 0 else f"exit code {ended.status}"
    return _read(ended.output, f"the process ended with {how}")


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
