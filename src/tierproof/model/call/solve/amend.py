"""Change a plan by what its failure taught: other sizes, axes or dtypes, or another argument."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from tierproof.core.standing import Standing
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.solve.lesson import Kind, Larger, Lesson, MoreAxes, Multiple, Rank, Sizes, Whole
from tierproof.model.call.solve.plan_sizes import iterate_sizes, set_sizes, size_of, square_axes

_LARGEST_SIZE = 4096
_ROLES = ("tokens", "floats", "image", "audio")
_CHANNELS, _SIDE, _FRAMES, _WIDTH = 3, 32, 8, 32


def amend_plan(plan: InputPlan, lesson: Lesson) -> Iterator[InputPlan]:
    """Yield changed plans, the most likely first; none where the lesson says nothing of the plan's arguments."""
    match lesson:
        case Sizes(pairs):
            yield from _change_sizes(plan, pairs)
        case Multiple(got, step):
            yield from _round_sizes(plan, got, step)
        case Rank(got, want):
            yield from _bring_to_rank(plan, got, want)
        case MoreAxes(more):
            for argument in _content(plan):
                yield from _change_rank(plan, argument, len(argument.shape) + more)
        case Kind(dtype):
            yield from _change_kind(plan, dtype)
        case Larger():
            yield from _enlarge(plan)
        case Whole():
            yield from _make_whole(plan)


def _bring_to_rank(plan: InputPlan, got: int | None, want: int) -> Iterator[InputPlan]:
    known = any(len(argument.shape) == got for argument in _content(plan))
    for argument in _content(plan):
        rank = len(argument.shape)
        if got is not None and not known:
            # The tensor that failed was made of the argument: what holds for both is the difference.
            yield from _change_rank(plan, argument, rank + want - got)
        elif rank != want and got in (None, rank):
            yield from _change_rank(plan, argument, want)


def _make_whole(plan: InputPlan) -> Iterator[InputPlan]:
    for argument in _content(plan):
        if argument.role == "floats" and not argument.whole:
            yield plan.with_argument(replace(argument, whole=True, high=2))


def read_rows_as_steps(plan: InputPlan) -> Iterator[InputPlan]:
    """Yield the plan with a number of each row, such as the step of a diffusion, as an integer in place of a float."""
    for argument in plan.arguments:
        if argument.shape == (BATCH,) and argument.role == "floats":
            yield plan.with_argument(Argument(argument.name, "tokens", (BATCH,), torch.int64, high=2))


def add_axis(plan: InputPlan) -> Iterator[InputPlan]:
    """Yield the plan with one value for each position in place of one for each row, and for each pair in place of each.

    Without the axis such an argument fits where by chance there are as many rows as positions, or as parts.
    """
    for argument, other in itertools.permutations(_content(plan), 2):
        if len(other.shape) < 2 or other.shape[0] != BATCH:
            continue
        along = other.shape[1]
        if argument.shape == (BATCH,):
            yield plan.with_argument(replace(argument, shape=(BATCH, along)))
        elif len(argument.shape) == 3 and argument.shape[:2] == (BATCH, along):
            yield plan.with_argument(replace(argument, shape=(BATCH, along, along, argument.shape[2])))


def _content(plan: InputPlan) -> list[Argument]:
    return [a for a in plan.arguments if a.role in _ROLES]


def _change_sizes(plan: InputPlan, pairs: tuple[tuple[int, int], ...]) -> Iterator[InputPlan]:
    plans = [plan]
    for got, want in pairs:
        plans = [changed for each in plans[:4] for changed in _change_size(each, got, want)] or plans
    yield from (changed for changed in plans if changed is not plan)


def _change_size(plan: InputPlan, got: int, want: int) -> Iterator[InputPlan]:
    """Change the size that was seen, a factor of it, or the side of a square that it counts the parts of."""
    equal = [(name, axis) for name, axis, size in iterate_sizes(plan) if size == got]
    for argument in plan.arguments:
        pair = square_axes(argument)
        if pair and (argument.name, pair[0]) in equal:
            yield set_sizes(plan, {(argument.name, axis): want for axis in pair})
    yield from (set_sizes(plan, {place: want}) for place in equal)
    if len(equal) > 1:
        yield set_sizes(plan, dict.fromkeys(equal, want))
    if equal and any(_symbol(plan, place) for place in equal):
        yield from _change_length(plan, got, want)
    for argument in plan.arguments:
        pair = square_axes(argument)
        for extra in (0, 1, 2) if pair else ():
            side = _scale_side(size_of(plan, argument, pair[0]), got - extra, want - extra)
            if side:
                yield set_sizes(plan, {(argument.name, axis): side for axis in pair})
    for name, axis, size in iterate_sizes(plan):
        factor = got // size if size > 1 and got % size == 0 else 0
        if factor > 1 and want % factor == 0:
            yield set_sizes(plan, {(name, axis): want // factor})


def _scale_side(side: int, got: int, want: int) -> int:
    """The side of a square of `want` parts, where one of `got` parts has this side; 0 if there is none."""
    if got <= 0 or want <= 0:
        return 0
    root = math.isqrt(want * got)
    if root * root != want * got or (side * root) % got:
        return 0
    return side * root // got


def _symbol(plan: InputPlan, place: tuple[str, int]) -> bool:
    return isinstance(plan.argument(place[0]).shape[place[1]], str)


def _change_length(plan: InputPlan, got: int, want: int) -> Iterator[InputPlan]:
    if plan.default_length == got and 0 < want <= _LARGEST_SIZE:
        yield replace(plan, default_length=want, default_target_length=None)


def _round_sizes(plan: InputPlan, got: int, step: int) -> Iterator[InputPlan]:
    """Bring sizes to a multiple: those that were seen, else each in turn."""
    if step < 2 or step > _LARGEST_SIZE:
        return
    places = [(n, a, s) for n, a, s in iterate_sizes(plan) if s == got] or [*iterate_sizes(plan)]
    if any(plan.default_length == size and _symbol(plan, (name, axis)) for name, axis, size in places):
        yield replace(plan, default_length=-(-plan.default_length // step) * step)
    for argument in plan.arguments:
        pair = square_axes(argument)
        if pair and any((argument.name, pair[0]) == (name, axis) for name, axis, _ in places):
            side = -(-size_of(plan, argument, pair[0]) // step) * step
            yield set_sizes(plan, {(argument.name, axis): side for axis in pair})
    for name, axis, size in places:
        if size % step or size != got:
            yield set_sizes(plan, {(name, axis): -(-size // step) * step})


def _change_rank(plan: InputPlan, argument: Argument, rank: int) -> Iterator[InputPlan]:
    length = next((size for size in argument.shape if size in (LENGTH, TARGET_LENGTH)), LENGTH)
    width = argument.shape[-1] if isinstance(argument.shape[-1], int) else _WIDTH
    if argument.role == "tokens":
        by_rank: dict[int, list[tuple[str | int, ...]]] = {
            1: [(BATCH,)],
            2: [(BATCH, length)],
            3: [(BATCH, length, 8)],
        }
    else:
        image = (_CHANNELS, _SIDE, _SIDE)
        by_rank = {
            1: [(BATCH,)],
            2: [(BATCH, width)],
            3: [(BATCH, length, width), (BATCH, width, length)],
            4: [(BATCH, *image), (BATCH, _SIDE, _SIDE, _CHANNELS)],
            5: [(BATCH, _CHANNELS, _FRAMES, _SIDE, _SIDE), (BATCH, _FRAMES, *image)],
        }
    for shape in by_rank.get(rank, []):
        role = argument.role if argument.role == "tokens" else "image" if rank >= 4 else "floats"
        yield plan.with_argument(replace(argument, role=role, shape=shape))


def _change_kind(plan: InputPlan, dtype: str) -> Iterator[InputPlan]:
    for argument in _content(plan):
        integral = not argument.dtype.is_floating_point
        if dtype == "int" and not integral:
            shape = argument.shape[:-1] if len(argument.shape) == 3 else argument.shape
            for each in dict.fromkeys((shape, argument.shape)):
                yield plan.with_argument(
                    Argument(argument.name, "tokens", each, torch.int64, high=2, standing=Standing.MEASURED)
                )
        elif dtype == "float" and integral:
            kept = Argument(
                argument.name, "floats", argument.shape, torch.float32, standing=Standing.MEASURED
            )
            yield plan.with_argument(kept)
            if len(argument.shape) == 2:
                yield plan.with_argument(replace(kept, shape=(*argument.shape, _WIDTH)))
        elif dtype == "bool" and argument.dtype is not torch.bool and argument.name != plan.primary:
            yield plan.with_argument(Argument(argument.name, "mask", argument.shape, torch.bool))


def _enlarge(plan: InputPlan) -> Iterator[InputPlan]:
    """Double what a window may be too large for: the sides of images, and the length."""
    for argument in plan.arguments:
        pair = square_axes(argument)
        if pair:
            side = size_of(plan, argument, pair[0])
            for larger in (2 * side, 7 * side):
                yield set_sizes(plan, {(argument.name, axis): larger for axis in pair})
    if any(LENGTH in argument.shape for argument in plan.arguments):
        yield from (replace(plan, default_length=plan.default_length * factor) for factor in (2, 8, 64))
