"""Decide which of the first two input axes is the batch: a default nn.Transformer takes (length, batch)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tierproof.model.call.call import Call
from tierproof.model.call.influence import MOVED_RELATIVE, perturb_position
from tierproof.model.call.input_plan import Argument


def declares_length_first(model: nn.Module) -> bool:
    """Whether an attention or recurrent module says `batch_first=False` and none says True."""
    flags = [bool(m.batch_first) for m in model.modules() if hasattr(m, "batch_first")]
    return bool(flags) and not any(flags)


def find_independent_axes(answer: Callable[[Call], Tensor], call: Call, argument: Argument) -> set[int]:
    """The axes among 0 and 1 whose slices are independent: a change in slice 1 changes only slice 1 of the output.

    Args:
        call: with sizes ≥ 2 on both axes of the argument.
    """
    tensor = call.tensors[argument.name]
    base = answer(call)
    if base.dim() < 2:
        return {0}
    changed = tensor.clone()
    changed[1, 1] = perturb_position(argument, tensor, 1, 1)[1, 1]
    moved = answer(call.with_argument(argument.name, changed))
    scale = float(base.float().std()) or 1.0
    independent = set()
    for axis in (0, 1):
        difference = (moved - base).abs().float().movedim(axis, 0).flatten(1).amax(dim=1)
        slices = torch.nonzero(difference > MOVED_RELATIVE * scale).flatten().tolist()
        if slices == [1]:
            independent.add(axis)
    return independent


def decide_batch_axis(independent: set[int], position_lengths: list[int], axis_1_size: int) -> int:
    """Decide the batch axis of a model that declares length first.

    If the model counts positions along axis 1, then axis 1 is the length. Attention that nevertheless mixes axis 0
    is then a bug, which the batch check reports.
    """
    if axis_1_size in position_lengths:
        return 0
    return 0 if independent == {0} else 1
