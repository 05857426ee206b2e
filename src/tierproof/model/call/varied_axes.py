"""Find which axes of given inputs may vary: those that are run at another size together, all others stay as given."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch

from tierproof.model.call.batch_axis import declares_length_first, find_independent_axes
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.model_probe import ModelProbe

_MOST_TRIALS = 12
_SHORT_LENGTH, _MUCH_LONGER = 11, 4
Axes = tuple[int, ...]


def free_given_axes(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    """Name the batch and the lengths in a plan of given inputs, as far as the model runs at other sizes of them.

    Sizes are taken to belong together where they are equal; a trial at another size decides. Where no trial runs,
    the given size is kept, and an assumption says so.
    """
    plan = _free_length(probe, _free_batch(probe, plan))
    return _free_target(probe, _part_target(probe, plan))


def _free_batch(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    primary = plan.primary_argument
    if not primary.shape:
        return plan
    working: list[InputPlan] = []
    for axis in _list_batch_axes(primary, probe.spec.batch_first):
        if working and not declares_length_first(probe.model):
            break
        size = primary.shape[axis]
        others = [_list_batch_choices(a, size, axis) for a in plan.arguments if a is not primary]
        for chosen in itertools.islice(itertools.product(*others), _MOST_TRIALS):
            freed = _name_axes(plan, {primary.name: (axis,)} | _by_name(plan, primary, chosen), BATCH)
            freed = replace(freed, default_batch=int(size))
            if _runs(probe, freed, batch=freed.default_batch + 1):
                working.append(freed)
                break
    if not working:
        note = (
            f"the model runs only with the given batch size of {primary.shape[0]}, so other batch sizes were "
            "not tried"
        )
        return replace(plan, assumptions=(*plan.assumptions, note))
    if len(working) > 1 and _mixes_axis_0(probe, working[0]):
        return working[1]
    return working[0]


def _list_batch_axes(primary: Argument, batch_first: bool | None) -> tuple[int, ...]:
    if len(primary.shape) < 2:
        return (0,)
    if batch_first is not None:
        return (0,) if batch_first else (1,)
    is_sequence = len(primary.shape) == 3 or (primary.role == "tokens" and len(primary.shape) == 2)
    return (0, 1) if is_sequence else (0,)


def _list_batch_choices(argument: Argument, size: object, axis: int) -> list[Axes]:
    """The axes of another argument that may be the batch; a state is (layers, batch, width)."""
    first = 1 if argument.role == "state" and len(argument.shape) == 3 else axis
    order = [first, *(a for a in range(len(argument.shape)) if a != first)]
    return [*((a,) for a in order if a < len(argument.shape) and argument.shape[a] == size), ()]


def _mixes_axis_0(probe: ModelProbe, plan: InputPlan) -> bool:
    """Whether a change in slice 1 of axis 0 reaches other slices, and none does so on axis 1."""
    call = probe.make_call(plan, batch=max(3, plan.default_batch))
    if min(call.tensors[plan.primary].shape[:2]) < 2:
        return False
    path = next((p for p, t in probe.run(call).items() if t.dim() > 1 and t.is_floating_point()), None)
    if path is None:
        return False
    argument = plan.primary_argument
    return find_independent_axes(lambda changed: probe.run(changed)[path], call, argument) == {1}


def _free_length(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    primary = plan.primary_argument
    axis = _find_length_axis(primary)
    if axis is None:
        return plan
    length = primary.shape[axis]
    freed = _free_size(probe, plan, primary, axis, LENGTH)
    if freed is None:
        note = (
            f"{primary.name}: the model runs only with the given length of {length}, so other lengths were "
            "not tried"
        )
        return replace(plan, assumptions=(*plan.assumptions, note))
    return freed


def _find_length_axis(argument: Argument) -> int | None:
    rank = len(argument.shape)
    if rank != 3 and not (rank == 2 and argument.role == "tokens"):
        return None
    return next((axis for axis in (0, 1) if isinstance(argument.shape[axis], int)), None)


def _free_target(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    """Name the length of a second sequence that is not as long as the first."""
    for argument in plan.arguments:
        axis = _find_length_axis(argument)
        named = {LENGTH, TARGET_LENGTH} & set(argument.shape)
        if (
            argument.name == plan.primary
            or axis is None
            or named
            or argument.role not in ("tokens", "floats")
        ):
            continue
        if BATCH not in argument.shape:
            continue
        freed = _free_size(probe, plan, argument, axis, TARGET_LENGTH)
        if freed is not None:
            return freed
    return plan


def _part_target(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    """Name the length of a second sequence that was given as long as the first, where it may be another."""
    for argument in plan.arguments:
        second = argument.name != plan.primary and argument.role in ("tokens", "floats")
        if not second or BATCH not in argument.shape or LENGTH not in argument.shape:
            continue
        others = [
            a.name
            for a in plan.arguments
            if a.name not in (plan.primary, argument.name) and LENGTH in a.shape
        ]
        subsets = (c for size in range(len(others) + 1) for c in itertools.combinations(others, size))
        for along in itertools.islice(subsets, _MOST_TRIALS):
            moved = (argument.name, *along)
            parted = _name_axes(
                plan,
                {a.name: _find_axes(a, LENGTH) for a in plan.arguments if a.name in moved},
                TARGET_LENGTH,
            )
            lengths = (plan.default_length - 1, plan.default_length + 1)
            if any(_runs(probe, parted, target_length=other) for other in lengths if other > 0):
                return parted
    return plan


def _free_size(
    probe: ModelProbe, plan: InputPlan, leader: Argument, axis: int, name: str
) -> InputPlan | None:
    """Free one size of `leader` with the equal sizes of other arguments; None if no trial runs."""
    size = leader.shape[axis]
    assert isinstance(size, int)
    others = [_list_length_choices(a, size) for a in plan.arguments if a is not leader]
    for chosen in itertools.islice(itertools.product(*others), _MOST_TRIALS):
        freed = _name_axes(plan, {leader.name: (axis,)} | _by_name(plan, leader, chosen), name)
        if name == LENGTH:
            freed = replace(freed, default_length=size)
            if any(_runs(probe, freed, length=other) for other in _list_shorter(size)):
                return freed
            if _runs(probe, freed, length=size + 1) and not _ignores_more(probe, freed, leader.name, size):
                return freed
            continue
        freed = replace(freed, default_target_length=size if size != plan.default_length else None)
        if any(_runs(probe, freed, target_length=other) for other in (size - 1, size + 1) if other > 0):
            return freed
    return None


def _list_shorter(size: int) -> tuple[int, ...]:
    """Shorter lengths to try: a short one first, which costs little, where the given one is much longer."""
    near = (size - 1,) if size > 1 else ()
    return (_SHORT_LENGTH, *near) if size >= _MUCH_LONGER * _SHORT_LENGTH else near


def _ignores_more(probe: ModelProbe, plan: InputPlan, name: str, size: int) -> bool:
    """Whether one position more than given changes nothing, as behind the columns of a table, of which none may lack.

    To be asked only where one fewer raises.
    """
    if plan.argument(name).role != "tokens":
        return False
    longer = probe.make_call(plan, length=size + 1)
    given = longer.tensors[name].narrow(plan.argument(name).shape.index(LENGTH), 0, size)
    shorter = probe.make_call(plan).with_argument(name, given)
    with torch.no_grad():
        more, less = probe.run(longer), probe.run(shorter)
    return all(path in less and _are_equal(less[path], tensor) for path, tensor in more.items())


def _are_equal(first: torch.Tensor, second: torch.Tensor) -> bool:
    return first.shape == second.shape and torch.equal(first.nan_to_num(), second.nan_to_num())


def _list_length_choices(argument: Argument, size: int) -> list[Axes]:
    """Which axes of another argument may follow a length; the last axis of floats is rather their width."""
    rank = len(argument.shape)
    last = rank - (1 if argument.role in ("floats", "state", "image") else 0)
    equal = tuple(axis for axis in range(last) if argument.shape[axis] == size)
    # One number for each position, such as a weight, looks like a row of features.
    weights = [(1,)] if argument.role == "floats" and rank == 2 and argument.shape[1] == size else []
    if not equal:
        return [*weights, ()]
    single = [(axis,) for axis in reversed(equal)] if len(equal) > 1 else []
    return [equal, *single, *weights, ()]


def _by_name(plan: InputPlan, leader: Argument, chosen: Sequence[Axes]) -> dict[str, Axes]:
    names: Iterator[str] = (a.name for a in plan.arguments if a is not leader)
    return dict(zip(names, chosen, strict=True))


def _find_axes(argument: Argument, name: str) -> Axes:
    return tuple(axis for axis, size in enumerate(argument.shape) if size == name)


def _name_axes(plan: InputPlan, axes: dict[str, Axes], name: str) -> InputPlan:
    return replace(
        plan,
        arguments=tuple(
            replace(
                a, shape=tuple(name if i in axes.get(a.name, ()) else size for i, size in enumerate(a.shape))
            )
            for a in plan.arguments
        ),
    )


def _runs(probe: ModelProbe, plan: InputPlan, **sizes: int) -> bool:
    try:
        with torch.no_grad():
            found = probe.run(probe.make_call(plan, **sizes))
    except Exception:  # noqa: BLE001 - the answer to the question is no
        return False
    return bool(found)
