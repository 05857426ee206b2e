"""Enlarge what was assumed of an input's size, to ask again what may be due to a size that is too small."""

from __future__ import annotations

from dataclasses import replace

from tierproof.core.standing import Standing
from tierproof.model.call.input_plan import InputPlan

# Four times the pixels of a larger image would cost more than the question is worth.
_MOST_PIXELS_A_SIDE = 128


def enlarge_assumed_size(plan: InputPlan) -> InputPlan | None:
    """The plan with its image at twice the height and width; None where the size was not assumed, or is large.

    The last stages of a pyramid see a single position of a small image: a window of one token, a norm of one value.
    """
    primary = plan.primary_argument
    if primary.role != "image" or primary.width_standing is not Standing.ASSUMED:
        return None
    sides = [size for size in primary.shape[-2:] if isinstance(size, int)]
    if len(sides) < 2 or max(sides) > _MOST_PIXELS_A_SIDE:
        return None
    shape = (*primary.shape[:-2], *(2 * size for size in sides))
    return plan.with_argument(replace(primary, shape=shape))
