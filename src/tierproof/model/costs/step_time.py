"""Measure how long one training step of a model takes."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import compute_objective

# A backward pass costs about twice a forward pass (two products for each one of the forward).
_FORWARDS_PER_STEP = 3.0
# Costs are stated in steps of at least this length: some checks try long inputs whatever the default is.
_LEAST_LENGTH = 128


@dataclass(frozen=True)
class StepTime:
    """Seconds of one training step of the default call; if `trained` is False, three times those of a forward pass."""

    seconds: float
    trained: bool


def measure_step_time(subject: Subject, seed: int) -> StepTime:
    """Time one forward and backward pass of the default batch, at its length or at 128 if that is more.

    If the model cannot be trained, only a forward pass is timed. The caller must restore gradients, and state that a
    forward pass changes.

    Raises:
        Exception: what the model raises on the default call in evaluation mode.
    """
    inputs = subject.inputs
    longer = inputs.clip_length(max(inputs.default_length, _LEAST_LENGTH)) if inputs.has_length else None
    call = subject.make_call(length=longer, target_length=longer, seed=seed)
    subject.model.train()
    began = time.perf_counter()
    try:
        with torch.enable_grad():
            objective = compute_objective(subject.forward(call), subject, seed)
            if objective.requires_grad:
                objective.backward()  # type: ignore[no-untyped-call]
                return StepTime(time.perf_counter() - began, trained=True)
    except Exception:  # noqa: BLE001 - a step that fails is for T1-GRAD to tell; its time is still wanted
        subject.model.eval()
        call = subject.make_call(seed=seed)
    began = time.perf_counter()
    with torch.no_grad():
        subject.forward(call)
    return StepTime(_FORWARDS_PER_STEP * (time.perf_counter() - began), trained=False)
