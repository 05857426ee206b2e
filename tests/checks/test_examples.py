"""The example on each check's page is true: the check finds its bug, and not in the model beside it."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest
import torch

import tierproof
from tierproof.checks.registry import load_checks
from tierproof.core.check_result import CheckResult

PAGES = Path(__file__).resolve().parents[2] / "docs" / "checks"
CODES = [check.code for check in load_checks()]
# It measures and has no findings.
WITHOUT_FINDING = "T1-SPEED"


def read_example(code: str) -> tuple[str, str, str]:
    """The caption of the example on a check's page, its wrong code and its right code."""
    page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    section = page.partition("\n## Example\n")[2].partition("\n## ")[0]
    wrong, right = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return section.partition("```")[0].strip(), wrong, right


def check_model(code: str, source: str, folder: Path, name: str) -> CheckResult:
    """Import the code as a file of its own, as tracing and pickling need it, and run one check on its `Model`."""
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        torch.manual_seed(0)
        (result,) = tierproof.check(module.Model(), only=[code], progress=False).results
    finally:
        del sys.modules[name]
    return result


@pytest.mark.parametrize("code", [code for code in CODES if code != WITHOUT_FINDING])
def test_the_check_finds_the_bug_of_its_example_and_only_there(code, tmp_path):
    caption, wrong, right = read_example(code)
    finding = re.match(r"`(T\d-[A-Z]+-\d{3})`: ", caption)[1]
    assert finding.startswith(f"{code}-")
    broken = check_model(code, wrong, tmp_path, "broken_example")
    assert finding in [found.code for found in broken.findings], broken
    assert broken.findings[0].hint
    fixed = check_model(code, right, tmp_path, "fixed_example")
    assert fixed.outcome.value == "passed", fixed
    assert [found.code for found in fixed.findings if found.code == finding] == []


def test_the_slow_example_uses_less_of_the_machine(tmp_path):
    _, wrong, right = read_example(WITHOUT_FINDING)
    slow = check_model(WITHOUT_FINDING, wrong, tmp_path, "slow_example")
    fast = check_model(WITHOUT_FINDING, right, tmp_path, "fast_example")
    assert slow.findings == fast.findings == ()
    assert slow.measurements["peak_share"] < fast.measurements["peak_share"]


@pytest.mark.parametrize("code", CODES)
def test_an_example_is_short(code):
    _, wrong, right = read_example(code)
    assert wrong != right
    for source in (wrong, right):
        assert len(source.partition("class ")[2].splitlines()) <= 20
