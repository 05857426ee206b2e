"""Find the shortest and the longest length that a model runs at, where it refused the usual ones."""

from __future__ import annotations

from dataclasses import replace

from tierproof.core.standing import Standing
from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.model_probe import ModelProbe

# Lengths that every check tries; a model that runs at this one has no minimum that matters.
_USUAL_LENGTH = 8
# The search for inputs begins at 16: a longer default was learnt from a window that did not fit.
_FIRST_LENGTH = 16
_MOST_RUNS = 6
# A model that needs as many positions makes one frame of many, as of the samples of a sound.
_FRAME = 64


def measure_length_range(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    """The plan with its minimum or maximum length, found by halving; the plan itself where usual lengths run.

    The minimum found runs, and is at most a few positions above the shortest: each halving is one forward pass.
    """
    if not plan.has_length:
        return plan
    if plan.default_length < _USUAL_LENGTH and plan.max_length is None:
        return _measure_longest(probe, plan)
    if plan.default_length > _FIRST_LENGTH and not _runs(probe, plan, _USUAL_LENGTH):
        return _measure_shortest(probe, plan)
    return plan


def _measure_longest(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    longest = next((n for n in range(_USUAL_LENGTH, plan.default_length, -1) if _runs(probe, plan, n)), None)
    if longest == _USUAL_LENGTH:
        return plan
    return replace(
        plan,
        max_length=longest or plan.default_length,
        max_length_source="longer inputs raise",
        max_length_standing=Standing.MEASURED,
    )


def _measure_shortest(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    short, enough = _USUAL_LENGTH, plan.default_length
    for _ in range(_MOST_RUNS):
        middle = (short + enough) // 2
        if middle in (short, enough):
            break
        if _runs(probe, plan, middle):
            enough = middle
        else:
            short = middle
    note = f"{plan.primary}: the model needs at least about {enough} positions"
    least = _lengthen(probe, plan, enough)
    return replace(
        plan,
        min_length=least,
        default_length=max(plan.default_length, least),
        assumptions=(*plan.assumptions, note),
    )


def _lengthen(probe: ModelProbe, plan: InputPlan, shortest: int) -> int:
    """Where samples make up frames, the shortest input is one frame, in which nothing can attend to anything else."""
    if shortest < _FRAME:
        return shortest
    return next((times * shortest for times in (4, 2) if _runs(probe, plan, times * shortest)), shortest)


def _runs(probe: ModelProbe, plan: InputPlan, length: int) -> bool:
    try:
        probe.run(probe.make_call(plan, length=length))
    except Exception:  # noqa: BLE001 - the answer to the question is no
        return False
    return True
