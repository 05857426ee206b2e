"""Find which output of a model is its answer, from its outputs at two sizes."""

from __future__ import annotations

from torch import Tensor

from tierproof.model.call.forward_error import ForwardError
from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.output_axes import plan_outputs
from tierproof.model.call.outputs import OutputPlan


def read_outputs(probe: ModelProbe, plan: InputPlan) -> OutputPlan:
    """Run the model at two sizes, and work out which output is the answer and what its axes mean.

    Raises:
        ForwardError: when it returns no floating-point tensor.
    """
    batch, length = plan.default_batch, plan.default_length
    other_length = length - 3 if length > 4 else length + 1
    if (batch, batch + 1) == (length, other_length):
        other_length += 1  # or an axis that follows the one would seem to follow the other
    first_sizes = {"batch": batch, "length": length, "target_length": max(length - 1, 1)}
    taken = ((batch, batch + 1), (length, other_length))
    other_target = next(
        size
        for size in (other_length - 2, *range(max(other_length - 1, 1), other_length + 4))
        if 0 < size != first_sizes["target_length"] and (first_sizes["target_length"], size) not in taken
    )
    vocab = next((a.high for a in plan.arguments if a.role == "tokens"), None)

    def run(sizes: dict[str, int]) -> dict[str, Tensor]:
        return probe.run(probe.make_call(plan, **sizes))

    try:
        first = run(first_sizes)
    except Exception:  # noqa: BLE001 - source and target may have to be of one length
        first_sizes["target_length"] = length
        first = run(first_sizes)
    variants = [
        {"batch": batch + 1, "length": other_length, "target_length": other_target},
        {"batch": batch + 1, "length": other_length, "target_length": other_length},
        {"batch": batch, "length": other_length, "target_length": other_length},
        {**first_sizes, "batch": batch + 1},
        first_sizes,
    ]
    failure: Exception | None = None
    for second_sizes in variants:
        try:
            second = run(second_sizes)
        except Exception as error:  # noqa: BLE001 - a size that fails is a finding of T1-SHAPE
            failure = error
            continue
        failure = None
        varied = second_sizes["length"] != first_sizes["length"]
        only_length = length if plan.has_length and not varied else None
        planned = plan_outputs(first, second, first_sizes, second_sizes, vocab, only_length=only_length)
        if planned is not None:
            return planned
    if failure is not None:
        raise failure  # not even the size that ran before
    raise ForwardError(
        f"the forward pass of {probe.name} returned no floating-point tensor, so there is no output to check",
        hint="Return logits, features or a loss, not only ids or masks.",
    )
