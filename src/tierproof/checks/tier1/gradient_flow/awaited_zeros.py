"""Whether a module without gradient waits for parameters that are exactly zero, which training moves."""

from __future__ import annotations

from tierproof.checks.check import CheckContext
from tierproof.checks.tier1.gradient_flow.starved_module import StarvedModule
from tierproof.model.call.call import Call
from tierproof.model.call.substitution import fill_zeros
from tierproof.model.gradients.dependence import DependenceProbe
from tierproof.model.gradients.first_steps import FirstSteps, take_first_steps


class AwaitedZeros:
    """Tells a module that waits for zero parameters from one that can never move.

    Two ways are asked: other values in place of the zeros, and the first steps of a training run.
    """

    def __init__(self, context: CheckContext, call: Call, answers: frozenset[str]) -> None:
        stand_ins = fill_zeros(context.subject.model, context.seed)
        self._refilled = DependenceProbe(context.subject, call, context.seed, answers, stand_ins)
        self._context, self._call = context, call
        self._steps: FirstSteps | None = None

    def frees(self, item: StarvedModule) -> bool:
        """Whether a gradient reaches the module in either way."""
        if not self._refilled.measure(item.names).none:
            return True
        if self._steps is None:
            self._steps = take_first_steps(self._context.subject, self._call, self._context.seed)
        return not self._steps.moved.isdisjoint(item.names)
