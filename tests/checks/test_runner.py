"""The runner: outcomes, crashes, budget, interruption, restoration."""

from __future__ import annotations

import random
import time

import pytest
import torch

from tierproof.checks.check import Check, CheckOutput, Deadline
from tierproof.checks.claim import claim_error
from tierproof.checks.runner import run_checks
from tierproof.core.check_result import Outcome
from tierproof.core.finding import Finding, Severity
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.preserve.preserve import preserve
from zoo.handwritten import build


def check(run, code="T1-X"):
    return Check(code, "x", 1, run)


def finding(severity):
    return Finding("T1-X-001", severity, "m")


def run(*runs, **options):
    model = build("mlp")
    with preserve(model) as snapshot:
        subject = prepare_subject(model)
        return run_checks(subject, [check(r, f"T1-{i}") for i, r in enumerate(runs)], snapshot, **options)


def test_outcomes():
    results = run(
        lambda c: CheckOutput(measurements={"n": 1}),
        lambda c: CheckOutput((finding(Severity.WARNING),)),
        lambda c: CheckOutput((finding(Severity.INFO), claim_error("T1-X-001", "m", rests_on=Basis.STATE))),
        lambda c: CheckOutput(skipped="no length axis"),
    )
    assert [r.outcome.value for r in results] == ["passed", "passed", "failed", "skipped"]
    assert results[2].findings[0].severity is Severity.ERROR
    assert results[3].reason == "no length axis"


def test_a_crash_is_errored_and_says_where():
    def crash(context):
        raise RuntimeError("boom")

    (result,) = run(crash)
    assert result.outcome is Outcome.ERRORED
    assert "RuntimeError: boom" in result.reason
    assert "test_runner.py:" in result.reason


def test_ctrl_c_passes_through_and_the_model_is_restored():
    model = build("mlp")
    before = model.net[0].weight.clone()

    def interrupt(context):
        context.subject.model.net[0].weight.data.zero_()
        context.subject.model.train(False)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), preserve(model) as snapshot:
        run_checks(prepare_subject(model), [check(interrupt)], snapshot)
    assert torch.equal(model.net[0].weight, before)
    assert model.training


def test_every_check_starts_from_the_same_state():
    seen = []

    def look(context):
        model = context.subject.model
        seen.append((model.training, torch.rand(1).item(), random.random(), model.net[0].weight.grad))
        model.eval()
        context.subject.answer(context.subject.make_call()).sum().backward()
        return CheckOutput()

    run(look, look)
    assert seen[0] == seen[1]


def test_an_expired_budget_skips_all_but_the_first():
    results = run(lambda c: CheckOutput(), lambda c: CheckOutput(), deadline=Deadline(0.0))
    assert [r.outcome for r in results] == [Outcome.PASSED, Outcome.SKIPPED]
    assert "budget" in results[1].reason


def test_progress_is_told():
    told = []
    run(lambda c: CheckOutput(), progress=lambda *a: told.append(a))
    assert told == [(0, 1, "x"), (1, 1, "")]


def test_deadline():
    assert not Deadline().expired
    assert Deadline.after(None).remaining_s == float("inf")
    assert 0 < Deadline.after(100).remaining_s <= 100


def test_a_check_that_runs_over_is_stopped_between_two_calls():
    calls = []

    def go_on(context):
        while True:
            calls.append(context.subject.answer(context.subject.make_call()))
            time.sleep(0.05)

    def refuse(context):
        with pytest.raises(ValueError, match="no"):
            raise ValueError("no")
        return CheckOutput()

    first, second = run(go_on, refuse, deadline=Deadline.after(2))
    assert calls
    assert (first.outcome, first.out_of_time) == (Outcome.SKIPPED, True)
    assert "budget" in first.reason
    assert second.out_of_time
