"""Search for inputs by what each failure teaches, the trials that came farthest first."""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field, replace

from tierproof.core.standing import Standing
from tierproof.model.call.forward_signature import ForwardSignature
from tierproof.model.call.inputs import LENGTH, InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.solve.amend import amend_plan
from tierproof.model.call.solve.lesson import Sizes
from tierproof.model.call.solve.needed_arguments import add_needed
from tierproof.model.call.solve.plan_sizes import iterate_sizes, set_sizes, size_of, square_axes
from tierproof.model.observe.search.input_trial import FailedTrial, WorkingCall, try_plan
from tierproof.model.observe.search.search_clock import SearchClock

MOST_TRIALS = 60
_MOST_CHILDREN = 8
_FREE_LENGTH = 16
_MOST_NUMBERS = 2_000_000


@dataclass(frozen=True)
class _Slope:
    """A trial that was made to see how a size in a failure follows the sizes of one argument."""

    before: FailedTrial
    name: str
    axes: tuple[int, ...]


@dataclass(order=True)
class _Candidate:
    rank: tuple[int, int, int]
    plan: InputPlan = field(compare=False)
    slope: _Slope | None = field(compare=False, default=None)


class InputSearch:
    """A best-first search: a plan's failure gives changed plans, and those of the farthest trial are tried first."""

    def __init__(self, probe: ModelProbe, signature: ForwardSignature, clock: SearchClock) -> None:
        self._probe = probe
        self._signature = signature
        self._clock = clock
        self._queue: list[_Candidate] = []
        self._seen: set[str] = set()
        self._order = itertools.count()
        self.failures: list[FailedTrial] = []

    def learn_from(self, failure: FailedTrial) -> None:
        """Queue the plans that a failure suggests."""
        children = 0
        for lesson in failure.lessons:
            for plan in (
                *amend_plan(failure.plan, lesson),
                *add_needed(failure.plan, lesson, self._signature),
            ):
                if children < _MOST_CHILDREN:
                    children += self._push(plan, failure, quality=children)
        first = next((lesson for lesson in failure.lessons if isinstance(lesson, Sizes)), None)
        if first is not None and len(first.pairs) == 1:
            self._push_slopes(failure)

    def run(self) -> WorkingCall | None:
        """Try the queued plans until one works, or none is left, or the trials or the time are used up."""
        for _ in range(MOST_TRIALS):
            if not self._queue or self._clock.expired:
                return None
            candidate = heapq.heappop(self._queue)
            result = try_plan(self._probe, candidate.plan)
            if isinstance(result, WorkingCall):
                result = self._free_length(result)
                return replace(result, plan=_tell(result.plan))
            self.failures.append(result)
            if candidate.slope is not None:
                self._follow_slope(candidate.slope, result)
            if candidate.slope is None or candidate.slope.before.place != result.place:
                self.learn_from(result)
        return None

    def _free_length(self, found: WorkingCall) -> WorkingCall:
        """Leave the length free where the model runs at another one: an axis was fixed on the way to its width."""
        plan = found.plan
        primary = plan.primary_argument
        if plan.has_length or primary.role != "floats" or len(primary.shape) != 3:
            return found
        for axis in (1, 2):
            shape = (*primary.shape[:axis], LENGTH, *primary.shape[axis + 1 :])
            freed = replace(plan.with_argument(replace(primary, shape=shape)), default_length=_FREE_LENGTH)
            result = try_plan(self._probe, freed)
            if isinstance(result, WorkingCall):
                return result
        return found

    def _push(
        self, plan: InputPlan, failure: FailedTrial, *, quality: int, slope: _Slope | None = None
    ) -> bool:
        key = repr([(a.name, a.role, a.dtype, a.shape) for a in plan.arguments]) + repr(
            (plan.style, plan.default_length, plan.default_target_length, plan.default_batch, plan.constants)
        )
        if key in self._seen or _count_numbers(plan) > _MOST_NUMBERS:
            return False
        self._seen.add(key)
        rank = (-failure.operations, quality, next(self._order))
        heapq.heappush(self._queue, _Candidate(rank, plan, slope))
        return True

    def _push_slopes(self, failure: FailedTrial) -> None:
        """Queue the same plan with one size doubled, to see how the size in the failure follows it."""
        plan = failure.plan
        for argument in plan.arguments:
            pair = square_axes(argument)
            if pair:
                side = 2 * size_of(plan, argument, pair[0])
                doubled = set_sizes(plan, {(argument.name, axis): side for axis in pair})
                self._push(doubled, failure, quality=20, slope=_Slope(failure, argument.name, pair))
        for name, axis, size in iterate_sizes(plan):
            doubled = set_sizes(plan, {(name, axis): 2 * size})
            self._push(doubled, failure, quality=21, slope=_Slope(failure, name, (axis,)))

    def _follow_slope(self, slope: _Slope, after: FailedTrial) -> None:
        """Solve for the size: it was (got − rest) of it that changed when it was doubled."""
        before = slope.before
        if before.place != after.place:
            return
        plan = before.plan
        size = size_of(plan, plan.argument(slope.name), slope.axes[0])
        for first, second in itertools.product(_pairs(before), _pairs(after)):
            (got, want), (moved, still) = first, second
            if want != still or moved == got:
                continue
            solved = _solve(size, got, moved, want, power=len(slope.axes))
            if solved:
                changed = set_sizes(plan, {(slope.name, axis): solved for axis in slope.axes})
                self._push(changed, replace(before, operations=before.operations + 1), quality=0)


def _tell(plan: InputPlan) -> InputPlan:
    """Say in the plan that its sizes were learnt; what was assumed of other sizes no longer holds."""
    kept = tuple(note for note in plan.assumptions if "ModelSpec" not in note and "inputs=" not in note)
    inputs = ", ".join(a.describe() for a in plan.arguments)
    note = f"worked out from what the forward refused: {inputs}; pass `inputs=…` to change this"
    arguments = tuple(
        replace(
            a, width_standing=Standing.MEASURED, source=a.source or "learnt from what the forward refused"
        )
        for a in plan.arguments
    )
    return replace(plan, arguments=arguments, assumptions=(*kept, note))


def _count_numbers(plan: InputPlan) -> int:
    sizes = [math.prod(size_of(plan, a, axis) for axis in range(len(a.shape))) for a in plan.arguments]
    return max(sizes, default=0)


def _pairs(failure: FailedTrial) -> list[tuple[int, int]]:
    return [
        lesson.pairs[0] for lesson in failure.lessons if isinstance(lesson, Sizes) and len(lesson.pairs) == 1
    ]


def _solve(size: int, got: int, moved: int, want: int, *, power: int) -> int:
    """The size at which a·sizeᵖ + b is `want`, from its values at `size` and at twice that; 0 if it is no integer."""
    scale = (2**power - 1) * size**power
    numerator = size**power * (moved - got) + (want - got) * scale
    if (moved - got) == 0 or numerator % (moved - got):
        return 0
    wanted = numerator // (moved - got)
    if wanted <= 0:
        return 0
    root = round(wanted ** (1 / power))
    return root if root**power == wanted else 0
