"""Write the `inputs=` of a model as code to paste, from the inputs that came farthest."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tierproof.model.call.input_plan import Argument, InputPlan
from tierproof.model.call.layout import SizeSlot, Slot
from tierproof.model.call.solve.parameter import read_parameters
from tierproof.model.call.solve.plan_sizes import size_of


def write_skeleton(model: nn.Module, plan: InputPlan | None) -> str:
    """One line of code that makes inputs: `inputs=lambda: {"x": torch.randn(2, 16, 32)}`.

    Required parameters that the plan does not fill stand as `...`.
    """
    parts: dict[str, str] = {}
    if plan is not None:
        written = {argument.name: _write_tensor(plan, argument) for argument in plan.arguments}
        parts = {name: written[name] for name in written if "." not in name}
        parts |= {name: _write(template, written, plan) for name, template in plan.layout.items()}
        parts |= {name: _write(value, written, plan) for name, value in plan.constants.items()}
    if plan is None or plan.style != "mapping":
        parts |= {p.name: "..." for p in read_parameters(model) if p.name not in parts}
    inside = ", ".join(f'"{name}": {text}' for name, text in parts.items())
    return f"inputs=lambda: {{{inside}}}"


def _write_tensor(plan: InputPlan, argument: Argument) -> str:
    sizes = ", ".join(str(size_of(plan, argument, axis)) for axis in range(len(argument.shape)))
    if argument.dtype is torch.bool:
        return f"torch.{'zeros' if 'hide' in argument.role else 'ones'}({sizes}, dtype=torch.bool)"
    if argument.dtype.is_floating_point:
        return f"torch.randn({sizes})"
    if argument.role == "lengths":
        return f"torch.full(({sizes},), {plan.default_length})"
    return f"torch.randint(0, {max(argument.high, 2)}, ({sizes}{',' if len(argument.shape) == 1 else ''}))"


def _write(template: Any, written: dict[str, str], plan: InputPlan) -> str:
    if isinstance(template, Slot):
        return written[template.name]
    if isinstance(template, SizeSlot):
        return str({"batch": plan.default_batch, "length": plan.default_length}.get(template.size, 1))
    if isinstance(template, dict):
        return (
            "{" + ", ".join(f"{key!r}: {_write(item, written, plan)}" for key, item in template.items()) + "}"
        )
    if isinstance(template, list | tuple):
        inside = ", ".join(_write(item, written, plan) for item in template)
        return f"[{inside}]" if isinstance(template, list) else f"({inside},)"
    return repr(template)
