"""Find the shortest length that a model runs at, where it refused the usual ones."""

from __future__ import annotations

from dataclasses import replace

from tierproof.model.call.inputs import InputPlan
from tierproof.model.call.model_probe import ModelProbe

# Lengths that every check tries; a model that runs at this one has no minimum that matters.
_USUAL_LENGTH = 8
# The search for inputs begins at 16: a longer default was learnt from a window that did not fit.
_FIRST_LENGTH = 16
_MOST_RUNS = 6


def measure_shortest(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    """The plan with its minimum length, found by halving; the plan itself where usual lengths run.

    The length found runs, and is at most twice the shortest plus a few positions: each halving is one forward pass.
    """
    if not plan.has_length or plan.default_length <= _FIRST_LENGTH or _runs(probe, plan, _USUAL_LENGTH):
        return plan
    short, enough = _USUAL_LENGTH, plan.default_length
    for _ in range(_MOST_RUNS):
        middle = (short + enough) // 2
        if middle in (short, enough):
            break
        if _runs(probe, plan, middle):
            enough = middle
        else:
            short = middle
    note = f"{plan.primary}: shorter than about {enough} positions, the model does not run"
    return replace(plan, min_length=enough, assumptions=(*plan.assumptions, note))


def _runs(probe: ModelProbe, plan: InputPlan, length: int) -> bool:
    try:
        probe.run(probe.make_call(plan, length=length))
    except Exception:  # noqa: BLE001 - the answer to the question is no
        return False
    return True
