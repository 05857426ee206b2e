"""Read and set the single sizes of a plan's arguments."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

from tierproof.model.call.input_plan import BATCH, TARGET_LENGTH, Argument, InputPlan

_LARGEST_SIZE = 4096
_FREE_ROLES = ("tokens", "floats", "image", "audio", "state")


def size_of(plan: InputPlan, argument: Argument, axis: int) -> int:
    """The number that an axis has in the plan's default call."""
    size = argument.shape[axis]
    if isinstance(size, int):
        return size
    if size == BATCH:
        return plan.default_batch
    return plan.follow_length(plan.default_length) if size == TARGET_LENGTH else plan.default_length


def iterate_sizes(plan: InputPlan) -> Iterator[tuple[str, int, int]]:
    """Argument, axis and size of every axis but the batch, the last axes first."""
    for argument in plan.arguments:
        if argument.role in _FREE_ROLES:
            for axis in reversed(range(len(argument.shape))):
                if argument.shape[axis] != BATCH:
                    yield argument.name, axis, size_of(plan, argument, axis)


def square_axes(argument: Argument) -> tuple[int, ...]:
    """Two neighbouring axes of one fixed size, as the sides of an image are; empty where there are none."""
    for axis in range(len(argument.shape) - 2, 0, -1):
        first, second = argument.shape[axis], argument.shape[axis + 1]
        if isinstance(first, int) and first == second and argument.role in _FREE_ROLES:
            return (axis, axis + 1)
    return ()


def set_sizes(plan: InputPlan, sizes: Mapping[tuple[str, int], int]) -> InputPlan:
    """The same plan with these axes fixed at these sizes; the plan itself where a size is out of reach."""
    if any(not 0 < size <= _LARGEST_SIZE for size in sizes.values()):
        return plan
    for (name, axis), size in sizes.items():
        argument = plan.argument(name)
        shape = (*argument.shape[:axis], size, *argument.shape[axis + 1 :])
        plan = plan.with_argument(replace(argument, shape=shape))
    return plan


def count_numbers(plan: InputPlan) -> int:
    """How many numbers the largest argument has in the plan's default call."""
    return max(
        (math.prod(size_of(plan, a, axis) for axis in range(len(a.shape))) for a in plan.arguments), default=0
    )
