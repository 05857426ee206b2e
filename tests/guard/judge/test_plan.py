"""A plan as it is shown and written."""

from __future__ import annotations

from tierproof.guard.judge.plan import AddedPackage, AgedPackage, Plan, PlanVerdict


def test_a_plan_shows_itself() -> None:
    plan = Plan(
        ("a",),
        "here",
        PlanVerdict.ADDITIVE,
        add=(AddedPackage("<a>", "1", 2_000_000),),
        aged=(AgedPackage("a", "1", "2"),),
        explanation="Adds it.",
    )
    assert plan.exit_code == 1
    assert "&lt;a&gt; 1  (2.0 MB)" in plan._repr_html_()
    assert list(plan.to_dict()) == [
        "format_version",
        "requested",
        "base",
        "verdict",
        "add",
        "reuse",
        "shadows",
        "conflicts",
        "aged",
        "touches_loaded",
        "explanation",
        "duration_s",
        "not_worked_out",
        "judged",
        "fits_without",
        "rest",
    ]
