"""Take the first steps of a training run on copies of the parameters: what is dead at step 0 may move at step 1."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tierproof.model.call.call import Call
from tierproof.model.call.substitution import run_substituted
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import compute_objective
from tierproof.model.sizes.extremes import find_extremes

# A gate behind a gate behind a head: more zeros in a row are no published scheme.
_STEPS = 3
# The step of Adam: its first update is the rate times the sign of the gradient.
_RATE = 0.01
_MOST_PARAMETERS = 50_000_000


@dataclass(frozen=True)
class FirstSteps:
    """Where a few optimizer steps lead.

    Attributes:
        values: the floating-point parameters after the steps, by name; empty where no step could be taken.
        moved: names of the parameters that any step moved.
    """

    values: dict[str, Tensor] = field(default_factory=dict)
    moved: frozenset[str] = frozenset()


def take_first_steps(subject: Subject, call: Call, seed: int) -> FirstSteps:
    """Step copies of the parameters along the sign of their gradients, in the model's present modes.

    The model itself stays as it is. A model that cannot be run on other values gives no steps.
    """
    parameters = {name: p for name, p in subject.model.named_parameters() if p.is_floating_point()}
    if sum(p.numel() for p in parameters.values()) > _MOST_PARAMETERS:
        return FirstSteps()
    values = {n: p.detach().clone().requires_grad_(p.requires_grad) for n, p in parameters.items()}
    moved: set[str] = set()
    for _ in range(_STEPS):
        try:
            gradients = _find_gradients(subject, call, seed, values)
        except Exception:  # noqa: BLE001 - such a model is judged without this second way
            return FirstSteps()
        if not gradients:
            break
        moved |= gradients.keys()
        for name, gradient in gradients.items():
            values[name] = (values[name].detach() - _RATE * gradient.sign()).requires_grad_()
    return FirstSteps(
        {name: value.detach() for name, value in values.items()} if moved else {}, frozenset(moved)
    )


def _find_gradients(subject: Subject, call: Call, seed: int, values: dict[str, Tensor]) -> dict[str, Tensor]:
    """The gradients that are not zero, by name."""
    leaves = {name: value for name, value in values.items() if value.requires_grad}
    torch.manual_seed(seed)
    with torch.enable_grad():
        objective = compute_objective(run_substituted(subject.model, values, call), subject, seed)
    if not objective.requires_grad or not leaves:
        return {}
    found = torch.autograd.grad(objective, list(leaves.values()), allow_unused=True)
    dense = {n: g.to_dense() for n, g in zip(leaves, found, strict=True) if g is not None}
    return {name: g for name, g in dense.items() if _moves(g)}


def _moves(gradient: Tensor) -> bool:
    smallest, largest = find_extremes(gradient)
    return math.isfinite(smallest) and math.isfinite(largest) and (smallest, largest) != (0.0, 0.0)
