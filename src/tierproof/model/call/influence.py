"""Measure which input positions change which output positions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import Argument

# A change below this share of the output's spread is rounding, not influence (anchored on healthy models).
MOVED_RELATIVE = 1e-4
_FLOAT_STEP = 1.5

InfluenceMap = tuple[tuple[bool, ...], ...]


def perturb_position(argument: Argument, tensor: Tensor, axis: int, position: int) -> Tensor:
    """Return a copy of the input with other values at one position along `axis`, in every row.

    Token ids move by one inside the argument's range, around ids to avoid. Floats move in a fixed random direction:
    a norm over the features removes what shifts or scales all of them alike.
    """
    changed = tensor.clone()
    index = [slice(None)] * tensor.dim()
    index[axis] = slice(position, position + 1)
    here = changed[tuple(index)]
    if tensor.is_floating_point():
        direction = torch.randn(here.shape, generator=torch.Generator().manual_seed(0))
        here += _FLOAT_STEP * direction.to(here)
        return changed
    span = max(argument.high - argument.low, 1)
    other = (here - argument.low + 1) % span + argument.low
    for _ in range(min(span, len(argument.avoid) + 1)):
        bad = torch.zeros_like(other, dtype=torch.bool)
        for token in argument.avoid:
            bad |= other == token
        if not bool(bad.any()):
            break
        other = torch.where(bad, (other - argument.low + 1) % span + argument.low, other)
    changed[tuple(index)] = other
    return changed


def measure_influence(
    answer: Callable[[Call], Tensor],
    call: Call,
    argument: Argument,
    input_axis: int,
    output_axis: int,
) -> InfluenceMap:
    """Measure influence[i][j]: whether a change of input position j changes output position i.

    Args:
        answer: runs the model on a call; called once per position and once more.
        call: at a short length; the number of positions is read off its tensor.
        argument: the argument that is perturbed.
        input_axis: its length axis.
        output_axis: the answer's length axis.

    Returns:
        Rows for output positions, columns for input positions; empty when an answer is not finite.
    """
    tensor = call.tensors[argument.name]
    base = answer(call)
    if base.numel() == 0 or not bool(torch.isfinite(base).all()):
        return ()
    values = torch.view_as_real(base) if base.is_complex() else base
    scale = float(values.float().std()) if values.numel() > 1 else 1.0
    threshold = MOVED_RELATIVE * (scale or 1.0)
    columns = []
    for position in range(tensor.shape[input_axis]):
        moved = answer(
            call.with_argument(argument.name, perturb_position(argument, tensor, input_axis, position))
        )
        if moved.shape != base.shape:
            return ()
        difference = (moved - base).abs().float().movedim(output_axis, 0).flatten(1).amax(dim=1)
        columns.append([not bool(value <= threshold) for value in difference])
    return tuple(zip(*columns, strict=True))


def is_causal(influence: InfluenceMap) -> bool:
    """Whether no output position changes with a later input position."""
    return not any(moved for i, row in enumerate(influence) for j, moved in enumerate(row) if j > i)
