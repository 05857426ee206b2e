"""Find a mask that the caller may pass and that was left out: then what a position sees is the caller's choice."""

from __future__ import annotations

from torch import nn

from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.input_plan import InputPlan


def find_callers_mask(model: nn.Module, inputs: InputPlan) -> str:
    """The name of an optional mask that no call passes; empty where there is none, or only one of padding."""
    passed = {argument.name for argument in inputs.arguments}
    for name in read_signature(model).optional:
        if "mask" in name and "pad" not in name and name not in {*passed, "attention_mask"}:
            return name
    return ""
