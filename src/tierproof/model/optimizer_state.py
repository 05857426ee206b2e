"""Bytes that an optimizer keeps per model, measured without any memory of that size."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

# foreach=False: the fused loops want real devices, and the state is the same.
OPTIMIZERS: dict[str, Callable[[Iterable[Tensor]], torch.optim.Optimizer]] = {
    "adamw": lambda parameters: torch.optim.AdamW(parameters, foreach=False),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=1e-3, foreach=False),
    "sgd_momentum": lambda parameters: torch.optim.SGD(parameters, lr=1e-3, momentum=0.9, foreach=False),
}


def measure_optimizer_state_bytes(model: nn.Module, optimizer: str = "adamw") -> int:
    """Let an optimizer take one step on copies of the trainable parameters that have shapes and no data.

    Args:
        model: its trainable parameters count, a tie once; lazy ones without a shape do not.
        optimizer: a name in `OPTIMIZERS`.
    """
    copies = []
    for parameter in model.parameters():
        if parameter.requires_grad and not nn.parameter.is_lazy(parameter):
            copy = torch.empty(parameter.shape, dtype=parameter.dtype, device="meta", requires_grad=True)
            copy.grad = torch.empty_like(copy)
            copies.append(copy)
    if not copies:
        return 0
    made = OPTIMIZERS[optimizer](copies)
    made.step()
    states = (value for state in made.state.values() for value in state.values())
    return sum(value.nbytes for value in states if isinstance(value, Tensor))
