"""The page of every finding can be told without torch and without the documentation's folder."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tierproof
from tierproof.checks.explain import explain_code
from tierproof.checks.registry import load_checks
from tierproof.errors import UsageError


@pytest.mark.parametrize("code", [check.code for check in load_checks()])
def test_every_check_and_its_findings_are_explained(code: str) -> None:
    whole = explain_code(code)
    assert [title for title, _ in whole.sections][:2] == ["What it does", "Why it matters"]
    listed = dict(whole.sections)["Findings"].splitlines()
    for finding in (line.split()[0] for line in listed if line.startswith(f"{code}-")):
        told = explain_code(finding.lower())
        assert told.severity
        assert told.page.endswith(f"/docs/checks/{code}.md#{finding}")
        assert str(told).startswith(f"{finding} {told.severity}: {told.claim}")


def test_unknown_codes_are_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="unknown code") as caught:
        tierproof.explain("T1-NOPE-001")
    assert "T1-GRAD" in caught.value.hint
    with pytest.raises(UsageError, match="has no finding with the code") as caught:
        tierproof.explain("T1-GRAD-999")
    assert "T1-GRAD-003" in caught.value.hint


def test_the_command_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from tierproof.cli.main import main\n"
        "sys.exit(main(['explain', 'T1-CAUSAL-001']))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("T1-CAUSAL-001 error: ")
    assert "Why it matters" in ran.stdout
