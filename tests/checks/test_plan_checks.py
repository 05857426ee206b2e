"""What runs within a budget: never more than fits, never the less valuable for the more valuable."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tierproof
from tierproof.checks.check import Check, CheckOutput
from tierproof.checks.needed_traits import NEEDED_TRAITS, find_lacking
from tierproof.checks.plan_checks import FIXED_S, estimate_s, plan_checks
from tierproof.checks.registry import load_checks
from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.handwritten import build

MOST_DEFAULT_STEPS = 25.0
CHECKS = load_checks()


def check(number, cost_steps, value, opt_in):
    return Check(
        f"T1-{number}", "x", 1, lambda _: CheckOutput(), cost_steps=cost_steps, value=value, opt_in=opt_in
    )


many = st.lists(
    st.tuples(st.floats(0, 20, allow_nan=False), st.integers(0, 100), st.booleans()),
    min_size=1,
    max_size=12,
).map(lambda parts: [check(index, *part) for index, part in enumerate(parts)])


@given(many, st.floats(0, 5), st.floats(0.01, 200), st.floats(0, 50))
def test_a_budget_is_kept_and_value_decides(checks, step_s, budget_s, spent_s):
    options = {"step_s": step_s, "budget_s": budget_s, "spent_s": spent_s}
    plan = plan_checks(checks, **options)
    assert plan == plan_checks(checks, **options)
    assert [c.code for c in checks] == [c.code for c in checks if c in plan.run or c.code in plan.dropped]
    assert plan.run == tuple(c for c in checks if c.code not in plan.dropped)
    if plan.run:
        assert spent_s + plan.estimate_s <= budget_s * (1 + 1e-9)
    lost = [c for c in checks if c.code in plan.dropped]
    for out in lost:
        for kept in plan.run:
            assert not (out.value > kept.value and out.cost_steps <= kept.cost_steps)


@given(many, st.floats(0, 5), st.floats(0.01, 200))
def test_the_budget_that_is_named_would_include_the_check(checks, step_s, budget_s):
    plan = plan_checks(checks, step_s=step_s, budget_s=budget_s)
    for code, reason in plan.dropped.items():
        named = float(reason.split("--budget ")[1].split()[0])
        assert code not in plan_checks(checks, step_s=step_s, budget_s=named).dropped


def test_without_a_budget_everything_runs_but_what_must_be_asked_for():
    checks = [
        check(1, 5.0, 10, opt_in=False),
        check(2, 100.0, 90, opt_in=True),
        check(3, 1.0, 5, opt_in=True),
    ]
    plan = plan_checks(checks, named=["T1-3"])
    assert [c.code for c in plan.run] == ["T1-1", "T1-3"]
    assert "--only T1-2" in plan.dropped["T1-2"]


def test_what_a_model_lacks_comes_before_any_budget():
    plan = plan_checks([check(1, 1.0, 1, opt_in=False)], budget_s=0.001, lacking={"T1-1": "no cache"})
    assert plan.dropped == {"T1-1": "no cache"}


def test_the_default_plan_stays_within_its_steps():
    plan = plan_checks([check for check in CHECKS if check.tier == 1])
    assert sum(c.cost_steps for c in plan.run) <= MOST_DEFAULT_STEPS
    assert all(c.cost_steps > 0 and 0 < c.value <= 100 for c in CHECKS)


def test_what_must_be_asked_for_is_worth_less_than_what_need_not():
    asked = [c.value for c in CHECKS if c.opt_in]
    assert not asked or max(asked) < min(c.value for c in CHECKS if not c.opt_in)


def test_needs_are_known_words_and_a_lacking_one_is_named():
    assert {word for c in CHECKS for word in c.needs} <= set(NEEDED_TRAITS)
    cross = next(c for c in CHECKS if c.code == "T1-CROSS")
    assert "encoder-decoder" in find_lacking(cross, prepare_subject(build("char_gpt")))
    assert find_lacking(cross, prepare_subject(build("seq2seq"))) == ""


def test_a_small_budget_names_itself_in_the_report():
    report = tierproof.check(build("mlp"), budget_s=0.45, progress=False)
    dropped = [r for r in report.results if "--budget" in r.reason]
    assert dropped
    assert all(r.outcome == "skipped" and "budget of 0.45 s" in r.reason for r in dropped)


def test_a_large_budget_has_room_for_everything():
    report = tierproof.check(build("mlp"), budget_s=500, only=["T1-INIT", "T1-SHAPE"], progress=False)
    assert [r.outcome.value for r in report.results] == ["passed", "passed"]


@pytest.mark.parametrize(("steps", "step_s", "seconds"), [(2.0, 0.0, 0.1), (2.0, 3.0, 6.1)])
def test_estimates(steps, step_s, seconds):
    assert estimate_s(check(1, steps, 1, opt_in=False), step_s) == pytest.approx(seconds)


def test_a_short_budget_shortens_before_it_drops():
    """Two that may be shortened, one that may not: each gets its least, and the most valuable the rest."""
    one = replace(check(1, 40.0, 90, opt_in=False), least_steps=4.0)
    other = replace(check(2, 30.0, 80, opt_in=False), least_steps=3.0)
    whole = check(3, 20.0, 70, opt_in=False)
    plan = plan_checks([one, other, whole], step_s=1.0, budget_s=15.0 + 2 * FIXED_S)
    assert plan.run == (one, other)
    assert plan.shortened == pytest.approx({one.code: 12.0 + FIXED_S, other.code: 3.0 + FIXED_S})
    assert plan.estimate_s == pytest.approx(15.0 + 2 * FIXED_S)
    assert plan.beyond_budget == {whole.code}
    enough = plan_checks([one, other, whole], step_s=1.0, budget_s=91.0)
    assert (enough.shortened, enough.dropped) == ({}, {})
