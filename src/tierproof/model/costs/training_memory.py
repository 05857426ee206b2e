"""Measure the memory of one forward and backward pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tierproof.model.call.call import Call
from tierproof.model.costs.live_bytes import measure_live_bytes
from tierproof.model.costs.saved_activations import SavedActivations
from tierproof.model.costs.training_loss import compute_training_loss
from tierproof.model.describe.subject import Subject
from tierproof.model.sizes.parameter_count import StorageUnion


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes of one forward and backward pass, in training mode.

    Attributes:
        activations: saved for backward when the loss is known.
        gradients: of parameters, after backward.
        peak: most at any moment, beyond parameters and buffers.
        source: how `peak` was measured.
        by_module: activations by the innermost module that saved them.
    """

    activations: int
    gradients: int
    peak: int
    source: str
    by_module: Mapping[str, int] = field(default_factory=dict)


def measure_activations(subject: Subject, call: Call) -> int:
    """Measure the bytes that one forward pass and its loss keep for backward, in the model's present mode."""
    with torch.enable_grad():
        saved, loss = _run_forward(subject, call)
        kept = saved.bytes
        del loss
    return kept


def measure_training_memory(subject: Subject, call: Call) -> TrainingMemory:
    """Measure one forward and backward pass that starts without gradients; its gradients stay on the model."""
    subject.model.zero_grad(set_to_none=True)
    activations = 0
    by_module: Mapping[str, int] = {}

    def run() -> None:
        nonlocal activations, by_module
        with torch.enable_grad():
            saved, loss = _run_forward(subject, call)
            activations, by_module = saved.bytes, saved.by_module()
            if loss.requires_grad:
                loss.backward()  # type: ignore[no-untyped-call]

    live = measure_live_bytes(run, subject.device)
    gradients = [p.grad for p in subject.model.parameters() if p.grad is not None]
    _, gradient_bytes = StorageUnion().add_all(gradients)
    return TrainingMemory(activations, gradient_bytes, live.peak_bytes, live.source, by_module)


def _run_forward(subject: Subject, call: Call) -> tuple[SavedActivations, Tensor]:
    values = {
        name: value.clone() if isinstance(value, Tensor) else value for name, value in call.arguments.items()
    }
    inputs = [value for value in values.values() if isinstance(value, Tensor)]
    with SavedActivations(subject.model, inputs) as saved:
        loss = compute_training_loss(subject.outputs, call.run_on(subject.model, values))
    return saved, loss
