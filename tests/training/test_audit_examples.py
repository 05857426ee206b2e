"""The example on each audit rule's page is true: the rule finds its fault, and not in the step beside it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import torch

import tierproof
from tierproof.core.finding import Severity
from tierproof.training.audit.judge_step import load_rules

PAGES = Path(__file__).resolve().parents[2] / "docs" / "checks"
CODES = [rule.code for rule in load_rules()]


def read_example(code: str) -> tuple[str, str, str]:
    """The finding that the example on a rule's page shows, its wrong code and its right code."""
    page = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    section = page.partition("\n## Example\n")[2].partition("\n## ")[0]
    wrong, right = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    found = re.match(r"`(T3-[A-Z]+-\d{3})`: ", section.partition("```")[0].strip())
    assert found is not None
    return found[1], wrong, right


def audit_source(source: str, path: Path) -> tierproof.Report:
    """Run the code as a file and audit its `step`."""
    path.write_text(source, encoding="utf-8")
    torch.manual_seed(0)
    names = runpy.run_path(str(path))
    return tierproof.audit(names["step"], names["batches"], held_out=names.get("held_out"), progress=False)


@pytest.mark.parametrize("code", CODES)
def test_the_rule_finds_the_fault_of_its_example_and_only_there(code: str, tmp_path: Path) -> None:
    wanted, wrong, right = read_example(code)
    broken = audit_source(wrong, tmp_path / "broken.py")
    found = [finding for result in broken.results for finding in result.findings if finding.code == wanted]
    assert found, broken
    assert found[0].hint
    fixed = audit_source(right, tmp_path / "fixed.py")
    weighty = [
        finding
        for result in fixed.results
        for finding in result.findings
        if finding.severity is not Severity.INFO
    ]
    assert weighty == [], fixed
    assert fixed.ok, fixed
