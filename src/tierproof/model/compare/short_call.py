"""A call at a short length, for questions whose answer does not depend on the length."""

from __future__ import annotations

import torch

from tierproof.model.call.call import Call, raised_in_a_call
from tierproof.model.call.input_plan import InputPlan
from tierproof.model.compare.steady_answer import SHORT_LENGTH
from tierproof.model.describe.subject import Subject


def find_short_length(inputs: InputPlan) -> int | None:
    """A short length, or None where the default one is little longer."""
    length = inputs.clip_length(SHORT_LENGTH)
    return length if inputs.has_length and 2 * length <= inputs.default_length else None


def make_short_call(subject: Subject, seed: int) -> Call:
    """A call at a short length where that runs in the model's present modes, else the default one."""
    length = find_short_length(subject.inputs)
    if length is not None:
        call = subject.make_call(length=length, target_length=length, seed=seed)
        try:
            with torch.no_grad():
                subject.forward(call)
        except Exception as error:
            if not (isinstance(error, RuntimeError) or raised_in_a_call(error)):
                raise
        else:
            return call
    return subject.make_call(seed=seed)


def list_calls(subject: Subject, seed: int) -> tuple[Call, ...]:
    """The default call, and before it a short one where one runs.

    What the short call shows is asked again at the default length; where it shows nothing, the long one is spared.
    """
    usual = subject.make_call(seed=seed)
    if find_short_length(subject.inputs) is None:
        return (usual,)
    return (make_short_call(subject, seed), usual)
