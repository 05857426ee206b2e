"""Search for inputs by what each failure teaches, the trials that came farthest first."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tierproof.core.standing import Standing
from tierproof.model.call.forward_signature import ForwardSignature
from tierproof.model.call.input_plan import INFERRED, LENGTH, InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.solve.amend import add_axis, amend_plan, read_rows_as_steps
from tierproof.model.call.solve.lesson import Sizes
from tierproof.model.call.solve.needed_arguments import add_needed
from tierproof.model.call.solve.plan_sizes import (
    count_numbers,
    iterate_sizes,
    set_sizes,
    size_of,
    square_axes,
)
from tierproof.model.observe.search.input_trial import FailedTrial, WorkingCall, try_plan
from tierproof.model.observe.search.search_clock import SearchClock

MOST_TRIALS = 60
_MOST_CHILDREN = 8
# So many rows hold a value out of range where two rows held none by luck.
_MANY_ROWS = 16
_FREE_LENGTH = 16
# A plan of so many times the numbers is tried after the others that a failure suggests.
_MUCH_LARGER = 4
_MOST_NUMBERS = 2_000_000
# Of one forward pass of inputs that were worked out: the checks run hundreds, and describing the model takes dozens.
SLOW_S = 15.0
# Attention over the parts of an image costs the fourth power of its side: from here a smaller one is tried.
_LARGE_SIDE = 16


@dataclass(frozen=True)
class _Slope:
    """A trial that was made to see how a size in a failure follows the sizes of one argument."""

    before: FailedTrial
    name: str
    axes: tuple[int, ...]
    size: int


@dataclass(order=True)
class _Candidate:
    rank: tuple[int, int, int, int]
    plan: InputPlan = field(compare=False)
    depth: int = field(compare=False)
    slope: _Slope | None = field(compare=False, default=None)


class InputSearch:
    """A best-first search: a plan's failure gives changed plans, and those of the farthest trial are tried first.

    Of equally good plans the clearly smaller is tried first: it costs less, and often tells as much.

    Attributes:
        failures: of all trials.
        single: the first call that ran with one number of rows only: its inputs may fit by chance, as rows times
            heads, and another call may take any number.
    """

    def __init__(self, probe: ModelProbe, signature: ForwardSignature, clock: SearchClock) -> None:
        self._probe = probe
        self._signature = signature
        self._clock = clock
        self._queue: list[_Candidate] = []
        self._seen: set[str] = set()
        self._order = itertools.count()
        self.failures: list[FailedTrial] = []
        self.single: WorkingCall | None = None

    def attempt(self, plan: InputPlan) -> WorkingCall | None:
        """Try a plan; None where it fails, or runs with one number of rows only, which `single` then keeps."""
        result = try_plan(self._probe, plan)
        self._clock.note_trial(result.seconds)
        given = any(argument.sample is not None for argument in plan.arguments)
        if isinstance(result, WorkingCall) and result.seconds > SLOW_S:
            return result
        if isinstance(result, WorkingCall) and not given:
            result = self._try_other_rows(result)
        if isinstance(result, WorkingCall):
            return result
        self.failures.append(result)
        return None

    def learn_from(self, failure: FailedTrial, *, depth: int = 0) -> None:
        """Queue the plans that a failure suggests.

        Args:
            depth: how many changes led to the plan that failed; of equally good plans the least changed goes first.
        """
        children = 0
        for lesson in failure.lessons:
            for plan in (
                *amend_plan(failure.plan, lesson),
                *add_needed(failure.plan, lesson, self._signature),
            ):
                if children < _MOST_CHILDREN:
                    children += self._push(plan, failure, quality=children, depth=depth)
        first = next((lesson for lesson in failure.lessons if isinstance(lesson, Sizes)), None)
        if first is not None and len(first.pairs) == 1:
            self._push_slopes(failure, depth)

    def run(self) -> WorkingCall | None:
        """Try the queued plans until one works, or none is left, or the trials or the time are used up."""
        for _ in range(MOST_TRIALS):
            if not self._queue or self._clock.expired:
                return None
            candidate = heapq.heappop(self._queue)
            found = self.attempt(candidate.plan)
            if found is not None:
                found = self._free_length(found)
                return replace(found, plan=_tell(found.plan))
            result = self.failures[-1]
            if candidate.slope is not None:
                self._follow_slope(candidate.slope, result, candidate.depth)
            if candidate.slope is None or candidate.slope.before.place != result.place:
                self.learn_from(result, depth=candidate.depth + 1)
        return None

    def _try_other_rows(self, found: WorkingCall) -> WorkingCall | FailedTrial:
        """The call, or the failure with another number of rows, from which the search learns."""
        plan = found.plan
        if plan.default_batch == 1:
            other = try_plan(self._probe, replace(plan, default_batch=2))
            if isinstance(other, FailedTrial):
                self._suspect_rows(found, other)
                return other
            found = other
        if _may_run_by_luck(found):
            other = try_plan(self._probe, replace(plan, default_batch=_MANY_ROWS))
            return other if isinstance(other, FailedTrial) else found
        other = try_plan(self._probe, replace(plan, default_batch=2 if found.plan.default_batch == 3 else 3))
        if isinstance(other, FailedTrial):
            self._suspect_rows(found, other)
            return other
        return found

    def _suspect_rows(self, found: WorkingCall, failure: FailedTrial) -> None:
        """Keep a call that runs with one number of rows only, and queue what its arguments may be instead."""
        self.single = self.single or found
        for changed in (*read_rows_as_steps(found.plan), *add_axis(found.plan)):
            self._push(changed, failure, quality=0, depth=0)

    def _free_length(self, found: WorkingCall) -> WorkingCall:
        """Leave the length free where the model runs at another one: an axis was fixed on the way to its width."""
        for freed in _list_freed(found.plan):
            result = try_plan(self._probe, replace(freed, default_length=_FREE_LENGTH))
            if isinstance(result, WorkingCall):
                return result
        return found

    def _push(
        self, plan: InputPlan, failure: FailedTrial, *, quality: int, depth: int, slope: _Slope | None = None
    ) -> bool:
        key = repr([(a.name, a.role, a.dtype, a.shape, a.whole) for a in plan.arguments]) + repr(
            (plan.style, plan.default_length, plan.default_target_length, plan.default_batch, plan.constants)
        )
        numbers = count_numbers(plan)
        if key in self._seen or not 0 < numbers <= _MOST_NUMBERS:
            return False
        self._seen.add(key)
        if numbers > _MUCH_LARGER * count_numbers(failure.plan):
            quality += _MOST_CHILDREN
        rank = (-failure.operations, quality + depth, int(math.log(numbers, 4)), next(self._order))
        heapq.heappush(self._queue, _Candidate(rank, plan, depth, slope))
        return True

    def _push_slopes(self, failure: FailedTrial, depth: int) -> None:
        """Queue the same plan with one size doubled or halved, to see how the size in the failure follows it."""
        plan = failure.plan
        for argument in plan.arguments:
            pair = square_axes(argument)
            if pair:
                side = size_of(plan, argument, pair[0])
                side = side // 2 if side >= _LARGE_SIDE and side % 2 == 0 else 2 * side
                changed = set_sizes(plan, {(argument.name, axis): side for axis in pair})
                slope = _Slope(failure, argument.name, pair, side)
                self._push(changed, failure, quality=20, depth=depth, slope=slope)
        for name, axis, size in iterate_sizes(plan):
            doubled = set_sizes(plan, {(name, axis): 2 * size})
            slope = _Slope(failure, name, (axis,), 2 * size)
            self._push(doubled, failure, quality=21, depth=depth, slope=slope)

    def _follow_slope(self, slope: _Slope, after: FailedTrial, depth: int) -> None:
        """Solve for the size: it was (got − rest) of it that changed when the size was changed."""
        before = slope.before
        if before.place != after.place:
            return
        plan = before.plan
        size = size_of(plan, plan.argument(slope.name), slope.axes[0])
        for first, second in itertools.product(_pairs(before), _pairs(after)):
            (got, want), (moved, still) = first, second
            if want != still or moved == got:
                continue
            solved = _solve((size, got), (slope.size, moved), want, power=len(slope.axes))
            if solved:
                changed = set_sizes(plan, {(slope.name, axis): solved for axis in slope.axes})
                better = replace(before, operations=before.operations + 1)
                self._push(changed, better, quality=0, depth=depth)


def _list_freed(plan: InputPlan) -> Iterator[InputPlan]:
    """The plan with an axis of fixed size as the length: of floats with a width, or of ids and what goes with each."""
    primary = plan.primary_argument
    if plan.has_length:
        return
    if primary.role == "floats" and len(primary.shape) == 3:
        for axis in (1, 2):
            shape = (*primary.shape[:axis], LENGTH, *primary.shape[axis + 1 :])
            yield plan.with_argument(replace(primary, shape=shape))
    elif primary.role == "tokens" and len(primary.shape) == 2:
        beside = [a for a in plan.arguments if a.shape[:2] == primary.shape and a.sample is None]
        arguments = {a.name: replace(a, shape=(a.shape[0], LENGTH, *a.shape[2:])) for a in beside}
        yield replace(plan, arguments=tuple(arguments.get(a.name, a) for a in plan.arguments))


def _may_run_by_luck(found: WorkingCall) -> bool:
    """Whether tables were looked up by ids that were made of floats, which are in range only at this draw."""
    arguments = found.plan.arguments
    floats = all(a.dtype.is_floating_point and not a.whole and a.sample is None for a in arguments)
    return floats and found.lookups.tables > 0 and not found.lookups.position_rows


def _tell(plan: InputPlan) -> InputPlan:
    """Say in the plan that its sizes were learnt; what was assumed of other sizes no longer holds."""
    kept = tuple(note for note in plan.assumptions if "ModelSpec" not in note and "inputs=" not in note)
    inputs = ", ".join(a.describe() for a in plan.arguments)
    note = f"{INFERRED}: {inputs}; pass `inputs=…` to change this"
    arguments = tuple(
        replace(
            a,
            width_standing=Standing.MEASURED,
            source=a.source or INFERRED,
        )
        for a in plan.arguments
    )
    return replace(plan, arguments=arguments, assumptions=(*kept, note))


def _pairs(failure: FailedTrial) -> list[tuple[int, int]]:
    return [
        lesson.pairs[0] for lesson in failure.lessons if isinstance(lesson, Sizes) and len(lesson.pairs) == 1
    ]


def _solve(before: tuple[int, int], after: tuple[int, int], want: int, *, power: int) -> int:
    """The size at which a·sizeᵖ + b is `want`, from two sizes and their values; 0 if it is no integer."""
    (size, got), (other, moved) = before, after
    numerator = size**power * (moved - got) + (want - got) * (other**power - size**power)
    if moved == got or numerator % (moved - got):
        return 0
    wanted = numerator // (moved - got)
    if wanted <= 0:
        return 0
    root = round(wanted ** (1 / power))
    return root if root**power == wanted else 0
