"""Find a call that the model accepts, and record what its forward pass returned and looked up."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from tierproof.model.call.forward_error import ForwardError
from tierproof.model.call.inputs import InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.observe.embedding_probe import LookupProbe, Lookups
from tierproof.model.observe.execution_trace import ExecutionTrace

_MOST_ATTEMPTS_SHOWN = 6
_READS_VALUES = "Check the model on the CPU: its forward pass reads values, and parameters on meta have none."


@dataclass(frozen=True)
class WorkingCall:
    """A call that worked: its plan, every tensor that the model returned, and what was looked up."""

    plan: InputPlan
    outputs: dict[str, Tensor]
    lookups: Lookups


def find_working_call(probe: ModelProbe, proposals: Iterable[InputPlan]) -> WorkingCall:
    """Try the proposals in order, and return the first call that returns a floating-point tensor.

    Raises:
        ForwardError: when none does; the message lists what was tried, and the layers that ran.
    """
    model = probe.model
    attempts: dict[str, str] = {}
    deepest: ExecutionTrace | None = None
    for plan in proposals:
        call = probe.make_call(plan)
        words = f"one dict of {call.describe()}" if plan.style == "mapping" else call.describe()
        with warnings.catch_warnings(), ExecutionTrace(model) as trace:
            warnings.simplefilter("ignore")  # a wrong guess may warn before it raises
            try:
                with LookupProbe(call.tensors) as lookups:
                    output = call.run(model)
            except Exception as error:  # noqa: BLE001 - every failed attempt is told in ForwardError
                attempts[words] = f"{type(error).__name__}: {error}".splitlines()[0]
                if deepest is None or len(trace.executed) > len(deepest.executed):
                    deepest = trace
                continue
        tensors = dict(iterate_tensors(output))
        if any(t.is_floating_point() or t.is_complex() for t in tensors.values()):
            return WorkingCall(plan, tensors, lookups.lookups)
        attempts[words] = "returned no floating-point tensor"
    raise _explain_failure(probe.name, attempts, deepest)


def _explain_failure(name: str, attempts: dict[str, str], deepest: ExecutionTrace | None) -> ForwardError:
    shown = list(attempts.items())[:_MOST_ATTEMPTS_SHOWN]
    lines = [f"  {call}\n      {error}" for call, error in shown]
    if len(attempts) > len(shown):
        lines.append(f"  … and {len(attempts) - len(shown)} more")
    executed = deepest.executed if deepest is not None else ()
    layers = ", ".join(path or name for path in executed[-12:]) or "none"
    return ForwardError(
        f"the forward pass of {name} raised on every input tried:\n"
        + "\n".join(lines)
        + f"\nLayers executed before the error: {layers}",
        hint=_READS_VALUES
        if any("meta tensors" in error for error in attempts.values())
        else (
            "If these inputs are wrong, pass your own (`inputs=…` in Python, `--inputs FILE.py:NAME` on the command "
            "line), or declare the model with `ModelSpec` (vocab_size, max_length, image_size, features, …)."
        ),
    )
