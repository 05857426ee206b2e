"""Find the first module that returns one constant vector for different inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.module_watch import watch_modules


def find_silent_module(subject: Subject, call: Call, seed: int) -> str | None:
    """Find the innermost module that gets different vectors and returns one vector for all; None if there is none.

    The vector may be zero. If the first module with a constant output already got a constant input, the module
    around it is returned.
    """
    torch.manual_seed(seed)
    with torch.no_grad(), watch_modules(subject.model, _is_silent) as observations:
        subject.forward(call)
    for item in observations:
        if item.after:
            return item.path if not item.before else item.path.rpartition(".")[0]
    return None


def _is_silent(tensors: Sequence[Tensor]) -> bool:
    features = [t for t in tensors if t.is_floating_point() and t.dim() >= 3 and t.shape[:-1].numel() > 1]
    return bool(features) and all(
        bool((rows == rows[0]).all()) for rows in (t.flatten(0, -2) for t in features)
    )
