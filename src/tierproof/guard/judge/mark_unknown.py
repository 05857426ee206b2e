"""Makes a plan of which a part was not worked out *unknown*; everything else in it stays as it was judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tierproof.guard.commands.gap import Gap
from tierproof.guard.judge.plan import Plan, PlanVerdict


def mark_unknown(plan: Plan, gaps: Sequence[Gap]) -> Plan:
    """Return the plan with these gaps.

    Args:
        plan: of all that could be judged.
        gaps: at least one; what the plan has already is kept.
    """
    every = tuple(dict.fromkeys((*plan.gaps, *gaps)))
    judged = plan.judged_verdict
    if judged is PlanVerdict.INFEASIBLE:  # with the part that is not known, the rest is not proven impossible
        judged = None
    if judged is PlanVerdict.SATISFIED and not plan.reuse:  # there is no rest
        judged = None
    told = "; ".join(gap.describe() for gap in every)
    rest = f" The verdict on the rest is {judged.value}. {plan.explanation}" if judged is not None else ""
    return replace(
        plan,
        verdict=PlanVerdict.UNKNOWN,
        gaps=every,
        judged=judged,
        explanation=f"A part of the request could not be planned. {told}.{rest}",
    )
