"""Whether the last output of a long input depends on the first position: no window limits what is seen of the past."""

from __future__ import annotations

from tierproof.model.call.input_plan import Argument
from tierproof.model.call.perturb import replace_position
from tierproof.model.compare.comparison import measure_change_along
from tierproof.model.compare.steady_answer import SHORT_LENGTH, Baseline, find_baseline

_TIMES = 3


def sees_far_past(base: Baseline, followed: Argument, axis: int) -> bool:
    """Ask at three times the short length; true also where the model takes no longer input.

    Args:
        followed: the argument whose positions the outputs follow.
        axis: of these positions in it.
    """
    subject = base.answers.subject
    longer = find_baseline(subject, base.answers.seed, batch=1, length=_TIMES * SHORT_LENGTH, seeded=True)
    if isinstance(longer, str) or longer.length <= base.length:
        return True
    tensor = longer.call.tensors[followed.name]
    changed = replace_position(followed, tensor, axis, 0, seed=base.answers.seed + 1)
    moved = longer.answers.attempt(longer.call.with_argument(followed.name, changed))
    if moved is None or moved.shape != longer.answer.shape:
        return True
    changes = measure_change_along(longer.answer, moved, subject.outputs.length_axis)
    return changes[-1] > longer.tolerance
