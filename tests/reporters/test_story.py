from __future__ import annotations

import itertools
from dataclasses import replace

from reporters.fake_reports import (
    empty_report,
    failing_report,
    inconclusive_report,
    passing_report,
    skipped_report,
)
from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Cause, Finding, Severity
from tierproof.core.verdict import Verdict
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


def test_a_consequence_is_told_right_after_its_cause():
    findings = (
        _error("T1-A-001", "h.0"),
        _error("T1-B-001", "h.1"),
        replace(_error("T1-C-001", "h.2", "It follows."), follows_from=Cause("T1-A-001", "h.0")),
    )
    for order in itertools.permutations(findings):
        result = CheckResult("T1-A", "a", 1, Outcome.FAILED, findings=order)
        story = tell(replace(passing_report(), results=(result,)))
        told = [group.first.code for group in (story.lead, *story.rest)]
        assert told.index("T1-C-001") == told.index("T1-A-001") + 1
        assert told[0] != "T1-C-001"


def test_a_run_that_a_budget_cut_short_is_not_told_as_a_plain_pass():
    report = passing_report()
    last = CheckResult("T1-SPEED", "speed", 1, Outcome.SKIPPED, "too short", out_of_time=True)
    story = tell(replace(report, results=(*report.results[:-1], last)))
    assert story.word == "Passed so far: 7 of 8"
    assert story.tone is Verdict.INCONCLUSIVE
    assert story.headline == "Passed so far: 7 of 8 checks; the time budget was too short for T1-SPEED."


def test_a_run_without_its_core_is_inconclusive_and_says_what_is_missing():
    report = passing_report()
    cut = CheckResult("T1-GRAD", "gradients", 1, Outcome.SKIPPED, "too short", out_of_time=True)
    story = tell(replace(report, results=(report.results[0], cut)))
    assert story.word == "Inconclusive"
    assert story.headline.startswith("Passed so far: 1 of 2 checks")
    assert [result.code for result in story.unjudged] == ["T1-GRAD"]
