"""Find zero parameters that get their first gradient after other zero parameters have changed."""

from __future__ import annotations

from collections.abc import Set

import torch

from tierproof.model.call.substitution import fill_zeros, run_substituted
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import compute_objective

# A gate behind a gate behind a head: more zeros in a row are no published scheme.
_MOST_STEPS = 3


def find_freed_later(subject: Subject, waiting: Set[str], moved: Set[str], seed: int) -> set[str]:
    """Which of the waiting parameters a gradient reaches when those that move first have moved (DiT's adaLN-Zero).

    Args:
        waiting: names of parameters without a gradient at present.
        moved: names of those that have one.
    """
    parameters = {name: p for name, p in subject.model.named_parameters() if name in waiting}
    noise = fill_zeros(subject.model, seed)
    free, freed = set(moved), set[str]()
    for _ in range(_MOST_STEPS):
        left = {name: p for name, p in parameters.items() if name not in freed}
        stand_ins = {name: tensor for name, tensor in noise.items() if name in free}
        if not left or not stand_ins:
            break
        torch.manual_seed(seed)
        with torch.enable_grad():
            output = run_substituted(subject.model, stand_ins, subject.make_call(seed=seed))
            objective = compute_objective(output, subject, seed)
        if not objective.requires_grad:
            break
        gradients = torch.autograd.grad(objective, list(left.values()), allow_unused=True)
        step = {n for n, g in zip(left, gradients, strict=True) if g is not None and bool((g != 0).any())}
        if not step:
            break
        freed |= step
        free |= step
    return freed
