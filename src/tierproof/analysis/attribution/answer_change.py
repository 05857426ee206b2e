"""Whether anything of a model's answer changes with its inputs at all."""

from __future__ import annotations

import torch
from torch import Tensor

from tierproof.model.call.call import Call
from tierproof.model.call.substitution import fill_zeros, run_substituted
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import collect_answers


def answer_follows_inputs(subject: Subject, seed: int, *, filled: bool = False) -> bool:
    """Whether some output differs between two random inputs of the same sizes.

    Args:
        subject: the model and how to call it.
        seed: of the first input, and of what the model draws.
        filled: ask it with noise in place of parameters that are all zero, which hold a branch shut until training.
    """
    stand_ins = fill_zeros(subject.model, seed) if filled else {}
    first, second = (_run(subject, subject.make_call(seed=seed + step), seed, stand_ins) for step in (0, 1))
    return any(
        path not in second
        or second[path].shape != value.shape
        or not torch.equal(value.nan_to_num(), second[path].nan_to_num())
        for path, value in first.items()
    )


def _run(subject: Subject, call: Call, seed: int, stand_ins: dict[str, Tensor]) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    with torch.no_grad():
        output = run_substituted(subject.model, stand_ins, call) if stand_ins else subject.forward(call)
    return collect_answers(output)
