from __future__ import annotations

from dataclasses import replace

from reporters.fake_reports import (
    empty_report,
    failing_report,
    inconclusive_report,
    passing_report,
    skipped_report,
)
from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding, Severity
from tierproof.reporters.story import tell


def _error(code, where, hint="do"):
    return Finding(code, Severity.ERROR, "m", where, {}, hint)


def test_pass_names_what_was_checked_and_nothing_else():
    headline = tell(passing_report()).headline
    assert headline.startswith(
        "7 checks ran: no error, no warning; 1 skipped. Checked: shapes, gradient flow"
    )
    assert "cross-attention" not in headline


def test_pass_counts_warnings():
    report = passing_report()
    warned = replace(report.results[0], findings=(Finding("T1-SHAPE-009", Severity.WARNING, "odd"),))
    story = tell(replace(report, results=(warned, *report.results[1:])))
    assert "no error, 1 warning" in story.headline
    assert story.lead is None
    assert len(story.rest) == 1


def test_fail_leads_with_an_error_that_names_a_module():
    result = CheckResult(
        "T1-A", "a", 1, Outcome.FAILED, findings=(_error("T1-A-001", ""), _error("T1-A-002", "h.0"))
    )
    assert tell(replace(passing_report(), results=(result,))).lead.first.where == "h.0"


def test_same_finding_in_several_modules_is_one_group():
    story = tell(failing_report())
    assert story.lead.first.code == "T1-CAUSAL-001"
    assert [(group.first.code, len(group.others)) for group in story.rest] == [
        ("T1-GRAD-002", 1),
        ("T1-INIT-003", 0),
    ]
    assert [result.code for result in story.unjudged] == ["T1-STAB"]
    assert story.headline == "3 errors and 1 warning in 6 checks; 1 could not be carried out; 1 skipped."


def test_inconclusive_says_what_is_not_known():
    assert (
        "1 of 3 checks could not be carried out; the one check that ran"
        in tell(inconclusive_report()).headline
    )
    errored = tuple(r for r in inconclusive_report().results if r.outcome is Outcome.ERRORED)
    assert "no other check ran" in tell(replace(inconclusive_report(), results=errored)).headline
    assert tell(empty_report()).headline == "No check ran, so nothing is known about the model."
    assert (
        tell(skipped_report()).headline == "The only check was skipped, so nothing is known about the model."
    )
    twice = replace(skipped_report(), results=skipped_report().results * 2)
    assert tell(twice).headline.startswith("All 2 checks were skipped")
    assert len(tell(twice).unjudged) == 2
