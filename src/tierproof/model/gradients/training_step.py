"""Run one training step without the update: forward and backward from fixed random seeds."""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import compute_objective


@dataclass(frozen=True)
class TrainingStep:
    """The loss of one forward and backward pass, and each parameter's gradient by name."""

    loss: float
    gradients: dict[str, Tensor]


def run_training_step(subject: Subject, model: nn.Module, call: Call, seed: int) -> TrainingStep:
    """Run `model`, a version of the subject's model, forward and backward in training mode.

    The model's own gradients are set to None afterwards.

    Raises:
        Exception: what the model raises.
    """
    model.train()
    model.zero_grad(set_to_none=True)
    seed_everything(seed)
    with torch.enable_grad():
        objective = compute_objective(call.run(model), subject, seed)
        if objective.requires_grad:
            objective.backward()  # type: ignore[no-untyped-call]
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return TrainingStep(float(objective.detach()), gradients)


def seed_everything(seed: int) -> None:
    """Seed Python, torch and, where it is imported, NumPy."""
    random.seed(seed)
    torch.manual_seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)
