"""Count the bytes that an optimizer's state takes for a model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class OptimizerState:
    """What a torch optimizer keeps for each trainable parameter after its first step.

    Attributes:
        copies: tensors of the parameter's shape and dtype.
        scalars: real numbers in the default precision of at least 32 bits.
    """

    copies: int
    scalars: int = 0


# Written down instead of measured: the first step of any torch optimizer imports
# torch._dynamo, seconds in a fresh process. A test compares these with real optimizers.
OPTIMIZERS: dict[str, OptimizerState] = {
    "adamw": OptimizerState(copies=2, scalars=1),  # both moments, and the step
    "sgd": OptimizerState(copies=0),
    "sgd_momentum": OptimizerState(copies=1),
}


def count_optimizer_state_bytes(model: nn.Module, optimizer: str = "adamw") -> int:
    """Count the bytes of the optimizer's state once every trainable parameter has had a gradient.

    Args:
        model: its trainable parameters count, a tie once; lazy ones without a shape do not.
        optimizer: a name in `OPTIMIZERS`.
    """
    state = OPTIMIZERS[optimizer]
    scalar_bytes = 8 if torch.get_default_dtype() is torch.float64 else 4
    return sum(
        state.copies * parameter.numel() * parameter.element_size() + state.scalars * scalar_bytes
        for parameter in model.parameters()
        if parameter.requires_grad and not nn.parameter.is_lazy(parameter)
    )
