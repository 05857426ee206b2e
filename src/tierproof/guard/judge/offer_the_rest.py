"""Finds the requirements without which the rest of a request fits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from tierproof.guard.commands.requirement import RequestedPackage
from tierproof.guard.judge.conflict import find_direct_conflicts
from tierproof.guard.judge.explain_plan import join_sentences, name_packages
from tierproof.guard.judge.plan import Plan, PlanVerdict
from tierproof.guard.judge.protected import is_protected
from tierproof.guard.judge.request import Judgement, Request
from tierproof.guard.resolve.plan_error import PlanError

_FITS = (PlanVerdict.SATISFIED, PlanVerdict.ADDITIVE, PlanVerdict.SHADOW)
_MOST_TRIED = 6  # each takes a resolution


def offer_the_rest(
    plan: Plan, request: Request, refused: Collection[str], judge: Callable[[Request], Judgement]
) -> Plan:
    """Name in the plan the requirements without which the rest fits, if there are such; else return it as it is.

    Args:
        plan: of the whole request.
        request: what was asked for.
        refused: names that nothing can serve.
        judge: judges a request.
    """
    if plan.verdict not in (PlanVerdict.ISOLATED, PlanVerdict.INFEASIBLE):
        return plan
    for dropped in _list_candidates(request, refused):
        kept = [
            (item, line)
            for item, line in zip(request.active, request.lines, strict=True)
            if item not in dropped
        ]
        if not kept or not request.resolver.patient:
            continue
        rest = Request(
            tuple(item for item, _ in kept), tuple(line for _, line in kept), request.base, request.resolver
        )
        try:
            found = judge(rest).plan
        except PlanError:
            continue
        if found.verdict in _FITS:
            names = [item.text for item in dropped]
            said = (
                f"Without {name_packages(names)}, the other requirements fit (verdict {found.verdict.value}): "
                f"{found.explanation}"
            )
            return replace(
                plan,
                fits_without=tuple(names),
                rest=replace(found, requested=tuple(item.text for item, _ in kept)),
                explanation=join_sentences(plan.explanation, said),
            )
    return plan


def _list_candidates(request: Request, refused: Collection[str]) -> Iterator[tuple[RequestedPackage, ...]]:
    """Yield what may be dropped: all that is refused or conflicts by itself, else one requirement after the other."""
    base = request.base
    conflicting = {
        conflict.package
        for conflict in find_direct_conflicts(request.active, base)
        if conflict.package in base.loaded.names or is_protected(conflict.package)
    }
    told = tuple(item for item in request.active if item.name in conflicting or item.name in refused)
    if told:
        yield told
    elif len(request.active) <= _MOST_TRIED:
        yield from ((item,) for item in request.active)
