"""Part (c): parameters, FLOPs and saved bytes against the equations, beside torchinfo's numbers."""

from __future__ import annotations

from typing import Any

import torch
from families import Family, make_families
from table import format_table
from torch import nn

BAR = 0.01


def measure(family: Family) -> tuple[int, int, int, nn.Module, dict[str, Any]]:
    """tierproof's parameters, forward FLOPs and saved bytes."""
    from tierproof.model.costs.flops import count_flops
    from tierproof.model.costs.saved_activations import SavedActivations
    from tierproof.model.sizes.parameter_count import count_parameters

    torch.manual_seed(0)
    model, inputs = family.build(), family.inputs()
    flops = count_flops(model.eval(), lambda: model(**inputs)).total
    with SavedActivations(model.train(), inputs.values()) as saved:
        loss = family.loss(model, inputs)
        size = saved.bytes
    del loss
    return count_parameters(model).parameters, flops, size, model, dict(inputs)


def run() -> tuple[str, bool]:
    """The table, and whether every figure is within one percent of its equation."""
    rows, within = [], True
    for family in make_families(base=True):
        parameters, flops, saved, model, inputs = measure(family)
        theirs = _read_torchinfo(model, inputs)
        for name, ours, exact, other in (
            ("parameters", parameters, family.figures.parameters, theirs[0]),
            ("forward FLOPs", flops, family.figures.forward_flops, theirs[1]),
            ("bytes saved for backward", saved, family.figures.saved_bytes, theirs[2]),
        ):
            error = abs(ours - exact) / exact
            within &= error <= BAR
            rows.append(
                (family.name, name, f"{exact:,}", f"{ours:,}", f"{error:.3%}", f"{other:,}" if other else "–",
                 f"{(other - exact) / exact:+.1%}" if other else "–")
            )  # fmt: skip
    head = ("model", "figure", "equation", "tierproof", "off by", "torchinfo", "off by")
    note = (
        "torchinfo: total_params, twice total_mult_adds, total_output_bytes (its 'forward/backward pass size').\n"
        f"Bar: tierproof within {BAR:.0%} of the equation: {'met' if within else 'MISSED'}."
    )
    return f"{format_table(head, rows)}\n{note}", within


def _read_torchinfo(model: nn.Module, inputs: dict[str, Any]) -> tuple[int | None, int | None, int | None]:
    try:
        import torchinfo
    except ModuleNotFoundError:
        return None, None, None
    found = torchinfo.summary(model, input_data=inputs, verbose=0, mode="train")
    return found.total_params, 2 * found.total_mult_adds, found.total_output_bytes
