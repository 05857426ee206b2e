"""Find parameters that carry a tensor as a Python attribute, such as a `weight` that was meant for a module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tierproof.core.finding import Finding, Severity
from tierproof.model.compare.steady_answer import Baseline
from tierproof.model.observe.parameter_use import find_used_tensors


def judge_carried_tensors(model: nn.Module, base: Baseline | None) -> list[Finding]:
    """One finding for each parameter that has a tensor of its own shape, which the forward does not read.

    Assigning to `parameter.weight` makes a Python attribute; what the forward reads is the parameter itself.
    """
    carried: dict[str, tuple[str, str, Tensor]] = {}
    for name, parameter in model.named_parameters():
        # Subclasses (quantised, sharded) keep their state in attributes by design.
        if type(parameter) is not nn.Parameter:
            continue
        for attribute, value in vars(parameter).items():
            if _could_be_its_value(attribute, value, parameter):
                carried[f"{name}.{attribute}"] = (name, attribute, value)
    if not carried:
        return []
    used: dict[str, str] = {}
    if base is not None:
        watched = {path: value for path, (_, _, value) in carried.items()}
        used = find_used_tensors(watched, model, lambda: base.answers.forward(base.call))
    return [
        Finding(
            "T1-REG-014",
            Severity.WARNING,
            f"A tensor was assigned to the attribute `{attribute}` of the parameter `{name}`. No forward pass reads "
            "this attribute, and the parameter itself was not changed.",
            name.rpartition(".")[0],
            {"parameter": name, "attribute": attribute, "shape": list(value.shape)},
            f"Copy it into the parameter: `with torch.no_grad(): {name.rpartition('.')[2]}.copy_(values)`.",
        )
        for path, (name, attribute, value) in carried.items()
        if path not in used
    ]


def _could_be_its_value(attribute: str, value: object, parameter: Tensor) -> bool:
    """Whether an attribute is a value for the parameter: a tensor of its shape that differs, and is no gradient."""
    if attribute.startswith("_") or "grad" in attribute or not isinstance(value, Tensor):
        return False
    if value.shape != parameter.shape or value.is_meta or parameter.is_meta:
        return False
    return not torch.equal(value.detach().to(parameter), parameter.detach())
