"""Decide before anything runs which checks fit into a budget, and say of the others why not.

The estimate of a check is a fixed part, which a small model pays, and its cost in training steps times the
seconds that one step of this model took. Within a budget the most valuable checks are kept: in order of
value each is taken that still fits. So no check is dropped for a less valuable one that costs as much.
A check that may be shortened is taken as soon as its least fits; what is left then goes to those, by value.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tierproof.checks.check import Check

# What a check takes on a model of a few thousand parameters: a median over the hand-written zoo, rounded up.
FIXED_S = 0.1


@dataclass(frozen=True)
class CheckPlan:
    """What will run.

    Attributes:
        run: in the order of the registry.
        dropped: reason by code of each that will not.
        estimate_s: seconds that the checks in `run` are expected to take together.
        beyond_budget: codes of those in `dropped` that run by default, and would within a larger budget.
        shortened: seconds by code of those in `run` that get less than they are expected to take.
        expected_s: seconds by code of all in `run`.
    """

    run: tuple[Check, ...]
    dropped: Mapping[str, str]
    estimate_s: float
    beyond_budget: frozenset[str] = frozenset()
    shortened: Mapping[str, float] = field(default_factory=dict)
    expected_s: Mapping[str, float] = field(default_factory=dict)


def estimate_s(check: Check, step_s: float) -> float:
    """Seconds that a check is expected to take where one training step takes `step_s` seconds."""
    return FIXED_S + check.cost_steps * step_s


def plan_checks(
    checks: Sequence[Check],
    *,
    step_s: float = 0.0,
    budget_s: float | None = None,
    spent_s: float = 0.0,
    named: Collection[str] = (),
    lacking: Mapping[str, str] | None = None,
) -> CheckPlan:
    """Choose among the selected checks.

    Args:
        checks: the selected ones, in running order.
        step_s: seconds of one training step of the default call; used with a budget only.
        budget_s: seconds for everything; None for no limit, and then opt-in checks run only when named.
        spent_s: what loading and preparation took of the budget already.
        named: full codes that the user named, which is a yes to opt-in checks.
        lacking: by code, the trait that a check needs and the model lacks.
    """
    dropped = {check.code: reason for check in checks if (reason := (lacking or {}).get(check.code, ""))}
    able = [check for check in checks if check.code not in dropped]
    beyond: dict[str, str] = {}
    shortened: dict[str, float] = {}
    if budget_s is None:
        dropped |= {c.code: _explain_opt_in(c) for c in able if c.opt_in and c.code not in named}
    else:
        beyond, shortened = _share_budget(able, step_s, budget_s, spent_s)
        dropped |= beyond
    run = tuple(check for check in checks if check.code not in dropped)
    asked = frozenset(check.code for check in able if check.code in beyond and not check.opt_in)
    expected_s = {check.code: shortened.get(check.code, estimate_s(check, step_s)) for check in run}
    return CheckPlan(run, dropped, sum(expected_s.values()), asked, shortened, expected_s)


def _share_budget(
    able: Sequence[Check], step_s: float, budget_s: float, spent_s: float
) -> tuple[dict[str, str], dict[str, float]]:
    """Take the checks by value, of equal ones the cheaper first.

    Returns:
        why checks that do not fit are dropped, and the seconds of those that fit only where they are shortened.
    """
    by_value = sorted(able, key=lambda check: (-check.value, check.cost_steps))
    dropped: dict[str, str] = {}
    left_s, enough_s = budget_s - spent_s, spent_s
    shortened: dict[str, float] = {}
    for check in by_value:
        cost_s, least_s = estimate_s(check, step_s), _estimate_least_s(check, step_s)
        enough_s += cost_s
        if least_s <= left_s:
            left_s -= least_s
            if least_s < cost_s:
                shortened[check.code] = least_s
        else:
            dropped[check.code] = (
                f"it would take about {cost_s:.2g} s, but only {max(left_s, 0.0):.2g} s of the budget of "
                f"{budget_s:g} s are left; to include it, pass --budget {_round_up(enough_s)}"
            )
    for check in by_value:
        if check.code in shortened:
            lacking_s = estimate_s(check, step_s) - shortened[check.code]
            given_s = min(lacking_s, left_s)
            left_s -= given_s
            shortened[check.code] += given_s
            if given_s == lacking_s:
                del shortened[check.code]
    return dropped, shortened


def _estimate_least_s(check: Check, step_s: float) -> float:
    """Seconds that a check is expected to take where it is shortened as far as it can be."""
    return FIXED_S + step_s * (check.cost_steps if check.least_steps is None else check.least_steps)


def _explain_opt_in(check: Check) -> str:
    return f"it runs on request only: name it with --only {check.code}, or pass a larger --budget"


def _round_up(seconds: float) -> str:
    """A budget in words that is not below `seconds`."""
    return str(int(seconds) + 1)
