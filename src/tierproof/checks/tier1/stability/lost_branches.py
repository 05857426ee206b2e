"""Find branches that are added to something so much larger that the sum rounds them away."""

from __future__ import annotations

from functools import partial

import torch

from tierproof.checks.check import CheckContext
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.compare.short_call import list_calls
from tierproof.model.observe.branch_additions import BranchAddition, measure_additions

CODE = "T1-STAB"


def judge_lost_branches(context: CheckContext, measurements: dict[str, JsonValue]) -> list[Finding]:
    """One finding for all branches whose values lie below the last digit of what they are added to.

    A branch behind a gain of its own that training moves (LayerScale) may start as small as it likes.
    """
    subject = context.subject
    if all(not parameter.requires_grad for parameter in subject.model.parameters()):
        return []
    lost: list[BranchAddition] = []
    for call in list_calls(subject, context.seed):
        torch.manual_seed(context.seed)
        additions = measure_additions(subject.model, partial(subject.forward, call))
        if additions:
            measurements["smallest_branch_share"] = min(item.ratio for item in additions)
        lost = [item for item in additions if item.ratio < item.rounding and not item.scaled]
        if not lost:
            return []
    first = lost[0]
    places = list(dict.fromkeys(item.path for item in lost))
    return [
        Finding(
            f"{CODE}-017",
            Severity.WARNING,
            f"The output of `{first.path or 'the model'}` is too small to change the tensor that it is added to: their "
            f"ratio is {first.ratio:.1e}, below the rounding error ({first.rounding:.1e}). The branch has no effect "
            "and gets hardly any gradient.",
            where=first.path,
            evidence={
                "share": first.ratio,
                "rounding": first.rounding,
                "modules": places[:8],
                "count": len(lost),
            },
            hint="Find what makes the output so small: weights that are divided by an epsilon larger than their sum, "
            "or a scale that is applied twice.",
        )
    ]
