"""Replace chosen values of an input by others of the same domain."""

from __future__ import annotations

import torch
from torch import Tensor

from tierproof.model.call.input_plan import Argument
from tierproof.model.call.outputs import OutputPlan

_VALUE_ROLES = ("tokens", "floats", "image", "audio")


def can_perturb(argument: Argument) -> bool:
    """Whether the argument holds values that may be replaced: tokens, floats, images or audio, but not masks."""
    if argument.role not in _VALUE_ROLES:
        return False
    return argument.dtype.is_floating_point or len(_allowed(argument)) > 1


def find_followed_argument(arguments: tuple[Argument, ...], outputs: OutputPlan) -> Argument | None:
    """The argument whose length the answer's length axis follows; None if there is none."""
    if not outputs.per_position:
        return None
    size = outputs.axes[outputs.length_axis]
    return next((a for a in arguments if size in a.shape and can_perturb(a)), None)


def replace_values(argument: Argument, tensor: Tensor, where: Tensor, *, seed: int) -> Tensor:
    """Return a copy of `tensor` with other values where `where` (bool, broadcastable) is True.

    Every replaced id differs from the old one. Floats are drawn anew with the tensor's mean and standard deviation;
    a constant shift would be undone by a normalisation.
    """
    generator = torch.Generator().manual_seed(seed)
    if tensor.is_floating_point() and not argument.whole:
        spread = float(tensor.float().std()) if tensor.numel() > 1 else 0.0
        noise = torch.randn(tensor.shape, generator=generator).to(tensor)
        drawn = float(tensor.float().mean()) + (spread or 1.0) * noise
        return torch.where(where.to(tensor.device), drawn.to(tensor.dtype), tensor)
    allowed = _allowed(argument)
    present = torch.searchsorted(allowed, tensor.detach().cpu().to(torch.int64)).clamp(max=len(allowed) - 1)
    steps = torch.randint(1, max(len(allowed), 2), tensor.shape, generator=generator)
    drawn = allowed[(present + steps) % len(allowed)].to(tensor)
    return torch.where(where.to(tensor.device), drawn, tensor)


def replace_position(argument: Argument, tensor: Tensor, axis: int, position: int, *, seed: int) -> Tensor:
    """Return a copy with other values at one index of `axis` (one token of every row, or one row)."""
    return replace_positions(argument, tensor, axis, (position,), seed=seed)


def replace_positions(
    argument: Argument, tensor: Tensor, axis: int, positions: tuple[int, ...], *, seed: int
) -> Tensor:
    """Return a copy with other values at several indices of `axis`."""
    where = torch.zeros(tensor.shape[axis], dtype=torch.bool)
    where[list(positions)] = True
    shape = [1] * tensor.dim()
    shape[axis] = -1
    return replace_values(argument, tensor, where.view(shape), seed=seed)


def _allowed(argument: Argument) -> Tensor:
    values = torch.arange(argument.low, max(argument.high, argument.low))
    for token in argument.avoid:
        values = values[values != token]
    return values
