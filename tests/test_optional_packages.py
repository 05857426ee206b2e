"""Verdicts rest on torch and numpy alone: with everything optional blocked they are the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sampled import sample

TESTS = Path(__file__).resolve().parent
MODELS = ["char_gpt", "seq2seq", "tiny_vit"]

BLOCK = """
import sys

# None in sys.modules is how Python itself says "absent": imports fail, find_spec gives None.
for name in BLOCKED:
    sys.modules[name] = None
"""

JUDGE = """
import json
import tierproof as tp
from zoo.handwritten import build

report = tp.check(build(MODEL), progress=False)
told = [
    [result.code, result.outcome.value, [[f.code, f.severity.value, f.where] for f in result.findings]]
    for result in report.results
    if result.code != "T1-SPEED"  # what it says may depend on the clock
]
leaked = sorted(name for name in BLOCKED if sys.modules.get(name) is not None)
print("\\n" + json.dumps({"verdict": report.verdict.value, "results": told, "leaked": leaked}))
"""


def judge(model: str, blocked: tuple[str, ...]) -> dict[str, object]:
    """What a fresh interpreter says of a zoo model while the `blocked` packages cannot be imported."""
    code = f"MODEL = {model!r}\nBLOCKED = {blocked!r}\n{BLOCK}{JUDGE}"
    # Not measured: the same checks are, where they run in the tests' own process.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")} | {
        "PYTHONPATH": os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)]),
        "OMP_NUM_THREADS": "1",
    }
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout.splitlines()[-1])
    assert isinstance(said, dict)
    return said


@pytest.mark.parametrize("model", sample(MODELS, 3))
def test_verdict_is_unchanged_without_optional_packages(model: str) -> None:
    with_them = judge(model, ())
    without = judge(model, ("pandas", "matplotlib", "scipy", "psutil"))
    assert without["leaked"] == []
    assert with_them["leaked"] == []
    assert without == with_them
    assert without["verdict"] == "pass"
