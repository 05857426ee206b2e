"""Try one input plan: a working call, or a failure with what it teaches."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.call.random_draws import may_have_drawn
from tierproof.model.call.solve.failed_place import find_failed_place
from tierproof.model.call.solve.last_operation import LastOperation
from tierproof.model.call.solve.lesson import Lesson
from tierproof.model.call.solve.read_failure import read_failure
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.lookup_probe import LookupProbe, Lookups


@dataclass(frozen=True)
class WorkingCall:
    """A call that worked: its plan, every tensor that the model returned, what was looked up, and how long it took.

    Attributes:
        draws: whether it may have drawn random numbers.
    """

    plan: InputPlan
    outputs: dict[str, Tensor]
    lookups: Lookups
    seconds: float = 0.0
    draws: bool = True


@dataclass(frozen=True)
class FailedTrial:
    """A plan that the model refused.

    Attributes:
        plan: that was tried.
        inputs: its arguments in words.
        error: class and first line of the exception.
        kind: class of the exception.
        place: file, line and function of the model's code where it was raised, in words; empty where unknown.
        source: that line.
        lessons: what the exception says of the inputs, the surest first.
        operations: how many the forward pass began: the more, the better the inputs.
        executed: paths of the modules that completed.
    """

    plan: InputPlan
    inputs: str
    error: str
    kind: str = ""
    place: str = ""
    source: str = ""
    lessons: tuple[Lesson, ...] = ()
    operations: int = 0
    executed: tuple[str, ...] = ()
    seconds: float = 0.0


def try_plan(probe: ModelProbe, plan: InputPlan) -> WorkingCall | FailedTrial:
    """Run the plan's default call once."""
    began = time.perf_counter()
    call = probe.make_call(plan)
    state = torch.get_rng_state()
    inputs = f"one dict of {call.describe()}" if plan.style == "mapping" else call.describe()
    with warnings.catch_warnings(), ExecutionTrace(probe.model) as trace, LastOperation() as last:
        warnings.simplefilter("ignore")  # a wrong guess may warn before it raises
        try:
            with LookupProbe(call.tensors) as lookups:
                output = call.run(probe.model)
        except Exception as error:  # noqa: BLE001 - every failed attempt is told in ForwardError
            place = find_failed_place(error)
            text = f"{type(error).__name__}: {error}".splitlines()[0]
            return FailedTrial(
                plan,
                inputs,
                text,
                type(error).__name__,
                "" if place is None else f"{place.function}, {place}",
                "" if place is None else place.source,
                tuple(read_failure(error, last)),
                last.count,
                tuple(trace.executed),
                time.perf_counter() - began,
            )
    tensors = dict(iterate_tensors(output))
    if any(t.is_floating_point() or t.is_complex() for t in tensors.values()):
        draws = may_have_drawn(probe.device, state)
        return WorkingCall(plan, tensors, lookups.lookups, time.perf_counter() - began, draws)
    return FailedTrial(plan, inputs, "returned no floating-point tensor", operations=last.count)
