"""Ask again at a larger input what raised at a size that was assumed."""

from __future__ import annotations

import torch

from tierproof.checks.tier1.shape.shape_cases import ShapeCase
from tierproof.model.call.larger_inputs import enlarge_assumed_size
from tierproof.model.describe.subject import Subject


def runs_larger(subject: Subject, case: ShapeCase, seed: int) -> bool:
    """Whether a case runs on a larger input; False where the input's size was not assumed."""
    larger = enlarge_assumed_size(subject.inputs)
    if larger is None:
        return False
    call = larger.make(batch=case.batch, length=case.length, seed=seed, device=subject.device)
    try:
        with torch.no_grad():
            subject.answer(call)
    except Exception:  # noqa: BLE001 - the answer to the question is no
        return False
    return True
