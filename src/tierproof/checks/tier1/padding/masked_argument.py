"""Of several inputs as long as each other, which one a padding mask hides: measured, whatever its name says."""

from __future__ import annotations

from torch import Tensor

from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import LENGTH, TARGET_LENGTH, Argument
from tierproof.model.call.perturb import can_perturb, replace_positions
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.steady_answer import Baseline


def find_other_masked(base: Baseline, content: Argument, masked: Call, hidden: tuple[int, ...]) -> str:
    """The name of another input than `content` that the mask hides wholly; empty where there is none.

    Args:
        masked: the call in which the mask hides the positions `hidden`.
    """
    size = masked.tensors[content.name].shape[content.shape.index(LENGTH)]
    for other in base.answers.subject.inputs.arguments:
        if other.name == content.name or not can_perturb(other):
            continue
        tensor = masked.tensors[other.name]
        axes = [a for a, named in enumerate(other.shape) if named in (LENGTH, TARGET_LENGTH)]
        if not axes or tensor.shape[axes[0]] != size:
            continue
        replaced = replace_positions(other, tensor, axes[0], hidden, seed=base.answers.seed + 1)
        if _is_hidden(base, masked, other.name, replaced):
            return other.name
    return ""


def _is_hidden(base: Baseline, masked: Call, name: str, replaced: Tensor) -> bool:
    """Whether new contents change the answer without the mask, and leave it as it is under the mask."""
    calls = (base.call.with_argument(name, replaced), masked, masked.with_argument(name, replaced))
    moved, hidden, moved_hidden = (base.answers.attempt(call) for call in calls)
    if moved is None or hidden is None or moved_hidden is None:
        return False
    without, under = measure_change(base.answer, moved), measure_change(hidden, moved_hidden)
    return under <= base.tolerance / 100 and without > base.tolerance
