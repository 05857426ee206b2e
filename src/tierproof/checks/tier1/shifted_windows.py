"""T1-ROLL: windows that are shifted by a roll do not join opposite borders.

What it does: looks for attention between a `torch.roll` of a feature map and the roll back. It replaces the positions
that were rolled across one border, and compares all other positions before they are rolled back.

Why it matters: `torch.roll` puts the top rows of a feature map next to the bottom rows. Swin's window mask keeps the
two from attending to each other. If the mask is built along the wrong axes, opposite borders attend to each other.

Evidence: the change of the rest of the map relative to its standard deviation, for each axis of the roll.

Exemptions: rolls without attention between them, and rolls that are not undone. A map that is periodic by nature, such
as longitudes, may ignore the warning.

Findings:
    T1-ROLL-001 warning: opposite borders of a rolled map attend to each other.

Source: Liu et al. 2021 (arXiv 2103.14030), section 3.2: masked self-attention within the shifted windows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.compare.comparison import find_tolerance, measure_change, measure_spread
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.observe.execution_trace import ExecutionTrace

_ATTENTION = frozenset({"softmax", "scaled_dot_product_attention"})
# Other borders move by far more than what is left of rounding.
_NOISE = 10


@dataclass(frozen=True)
class _Roll:
    """One call of `roll`: its place among all of them, what it was given, and whether attention ran since the last."""

    path: str
    values: Tensor
    shifts: tuple[int, ...]
    axes: tuple[int, ...]
    after_attention: bool


class _RollWatch(TorchFunctionMode):
    """Keeps the rolls of a pass; a subclass may change what the n-th of them returns."""

    def __init__(self, trace: ExecutionTrace) -> None:
        super().__init__()
        self.rolls: list[_Roll] = []
        self._trace = trace
        self._attended = False

    def __torch_function__(
        self,
        func: Any,
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = str(getattr(func, "__name__", ""))
        self._attended |= name in _ATTENTION
        result = func(*args, **kwargs)
        if name != "roll" or not isinstance(result, Tensor):
            return result
        given = dict(zip(("input", "shifts", "dims"), args, strict=False)) | dict(kwargs)
        values = given.get("input", given.get("self"))
        shifts, axes = _as_tuple(given.get("shifts")), _as_tuple(given.get("dims"))
        if not isinstance(values, Tensor) or len(shifts) != len(axes) or not axes:
            return result
        place = len(self.rolls)
        axes = tuple(axis % values.dim() for axis in axes)
        self.rolls.append(_Roll(self._trace.current, values.detach().clone(), shifts, axes, self._attended))
        self._attended = False
        return self._replace(place, result)

    def _replace(self, _place: int, rolled: Tensor) -> Tensor:
        """What the roll at this place returns in place of `rolled`."""
        return rolled


class _BorderChange(_RollWatch):
    """Changes what each opening roll brings around along one axis, and undoes the change at the roll back."""

    def __init__(
        self, trace: ExecutionTrace, first: list[_Roll], pairs: Mapping[int, int], number: int
    ) -> None:
        super().__init__(trace)
        self._first = first
        self._pairs = pairs
        self._number = number

    def _replace(self, place: int, rolled: Tensor) -> Tensor:
        if place in self._pairs:
            roll = self._first[place]
            changed = rolled.clone()
            border = _take_border(changed, roll, self._number)
            border.copy_(border.flip(-1) + border.std())
            return changed
        if place in self._pairs.values():
            known = self._first[place]
            return torch.roll(known.values, known.shifts, known.axes)
        return rolled


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    ran = context.subject.traits.operations
    if ran and "roll" not in ran:
        return CheckOutput(skipped="the forward pass does not call `torch.roll`")
    base = find_baseline(context.subject, context.seed, batch=1)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    with ExecutionTrace(context.subject.model) as trace:
        watch = _RollWatch(trace)
        with watch:
            base.answers.forward(base.call)
    pairs = _pair_rolls(watch.rolls)
    if not pairs:
        return CheckOutput(skipped="no attention runs between a `torch.roll` and the roll back")
    measured: dict[str, JsonValue] = {"rolled_maps": len(pairs)}
    most = max(len(watch.rolls[opening].axes) for opening in pairs)
    for number in range(most):
        if found := _judge_axis(base, watch.rolls, pairs, number, measured):
            return CheckOutput(tuple(found), measured)
    return CheckOutput(measurements=measured)


def _pair_rolls(rolls: list[_Roll]) -> dict[int, int]:
    """The place of each roll that the next one undoes, after attention, with that one's place."""
    return {
        place: place + 1
        for place, (roll, back) in enumerate(itertools.pairwise(rolls))
        if back.after_attention
        and roll.axes == back.axes
        and roll.values.shape == back.values.shape
        and roll.values.is_floating_point()
        and tuple(-shift for shift in roll.shifts) == back.shifts
        and all(0 < abs(s) < roll.values.shape[a] for s, a in zip(roll.shifts, roll.axes, strict=True))
    }


def _judge_axis(
    base: Baseline, first: list[_Roll], pairs: Mapping[int, int], number: int, measured: dict[str, JsonValue]
) -> list[Finding]:
    """Change one border of every rolled map, and compare the rest of it before it is rolled back."""
    kept = {opening: back for opening, back in pairs.items() if number < len(first[opening].axes)}
    with ExecutionTrace(base.answers.subject.model) as trace:
        watch = _BorderChange(trace, first, kept, number)
        with watch:
            base.answers.forward(base.call)
    if len(watch.rolls) != len(first):
        return []
    for opening, back in kept.items():
        roll = first[opening]
        before, after = (_take_rest(rolls[back].values, roll, number) for rolls in (first, watch.rolls))
        change = measure_change(before, after, spread=measure_spread(first[back].values))
        axis = roll.axes[number]
        measured[f"largest_change_axis_{axis}"] = change
        if change > _NOISE * find_tolerance(before):
            rolled = f"`{roll.path}`" if roll.path else "The model"
            return [
                Finding(
                    "T1-ROLL-001",
                    Severity.WARNING,
                    f"{rolled} rolls its feature map by {roll.shifts[number]} along axis {axis}, and then attends "
                    "across the border: replacing the positions that were rolled to the other side changes the others "
                    f"by {change:.2g} standard deviations.",
                    roll.path,
                    {"relative_change": change, "axis": axis, "shift": roll.shifts[number]},
                    "Mask the windows of the rolled map: positions that became neighbours only through the roll must "
                    "not attend to each other. Check along which axes this mask is filled.",
                )
            ]
    return []


def _take_border(values: Tensor, roll: _Roll, number: int) -> Tensor:
    """What a roll brought around along its axis of this number."""
    axis, shift = roll.axes[number], roll.shifts[number]
    start = 0 if shift > 0 else values.shape[axis] + shift
    return values.narrow(axis, start, abs(shift))


def _take_rest(values: Tensor, roll: _Roll, number: int) -> Tensor:
    axis, shift = roll.axes[number], roll.shifts[number]
    return values.narrow(axis, max(shift, 0), values.shape[axis] - abs(shift))


def _as_tuple(value: Any) -> tuple[int, ...]:
    numbers = value if isinstance(value, tuple | list) else (value,)
    return tuple(numbers) if all(isinstance(n, int) for n in numbers) else ()


CHECK = Check("T1-ROLL", "shifted windows", 1, run, needs=("parameter values",), cost_steps=0.05, value=40)
