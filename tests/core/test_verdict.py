from __future__ import annotations

import itertools

import pytest

from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding, Severity
from tierproof.core.verdict import Verdict, judge


def result(outcome: Outcome, *severities: Severity) -> CheckResult:
    findings = tuple(Finding("T1-X-001", severity, "m") for severity in severities)
    return CheckResult("T1-X", "x", 1, outcome, findings=findings)


PASSED, SKIPPED, ERRORED = result(Outcome.PASSED), result(Outcome.SKIPPED), result(Outcome.ERRORED)
WARNED = result(Outcome.PASSED, Severity.WARNING, Severity.INFO)
FAILED = result(Outcome.FAILED, Severity.WARNING, Severity.ERROR)


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ((), Verdict.INCONCLUSIVE),
        ((SKIPPED,), Verdict.INCONCLUSIVE),
        ((ERRORED,), Verdict.INCONCLUSIVE),
        ((PASSED, ERRORED), Verdict.INCONCLUSIVE),
        ((PASSED,), Verdict.PASS),
        ((WARNED, SKIPPED), Verdict.PASS),
        ((FAILED,), Verdict.FAIL),
        ((FAILED, ERRORED), Verdict.FAIL),
        ((PASSED, FAILED, SKIPPED), Verdict.FAIL),
    ],
)
def test_truth_table(results, verdict):
    for order in itertools.permutations(results):
        assert judge(order) is verdict


def test_exit_codes():
    assert [v.exit_code for v in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)] == [0, 1, 2]


def test_a_result_sorts_its_findings_by_weight():
    assert len(FAILED.errors) == 1
    assert len(FAILED.warnings) == 1
    assert CheckResult.from_dict(FAILED.to_dict()) == FAILED


@pytest.mark.parametrize("code", ["T1-SHAPE", "T1-GRAD", "T1-STAB", "T1-INIT"])
def test_without_a_core_check_a_short_budget_gives_no_verdict(code):
    cut = CheckResult(code, "x", 1, Outcome.SKIPPED, out_of_time=True)
    assert judge([PASSED, cut]) is Verdict.INCONCLUSIVE
    assert judge([FAILED, cut]) is Verdict.FAIL
    assert CheckResult.from_dict(cut.to_dict()) == cut


def test_other_checks_that_a_budget_cuts_off_leave_the_verdict():
    cut = CheckResult("T1-SPEED", "x", 1, Outcome.SKIPPED, out_of_time=True)
    assert judge([PASSED, cut]) is Verdict.PASS
    assert judge([PASSED, CheckResult("T1-GRAD", "x", 1, Outcome.SKIPPED)]) is Verdict.PASS
