"""Find which output of a model is its answer, from its outputs at two sizes."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from tierproof.model.call.forward_error import ForwardError
from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.output_axes import plan_outputs
from tierproof.model.call.outputs import OutputPlan

# A length of which a short one is a small part.
_LONG, _SHORT = 44, 11


def read_outputs(probe: ModelProbe, plan: InputPlan) -> OutputPlan:
    """Run the model at two sizes, and work out which output is the answer and what its axes mean.

    Raises:
        ForwardError: when it returns no floating-point tensor.
    """
    batch, length = plan.default_batch, plan.default_length
    first_sizes = {"batch": batch, "length": length, "target_length": max(length - 1, 1)}
    vocab = next((a.high for a in plan.arguments if a.role == "tokens"), None)

    def run(sizes: dict[str, int]) -> dict[str, Tensor]:
        return probe.run(probe.make_call(plan, **sizes))

    try:
        first = run(first_sizes)
    except Exception:  # noqa: BLE001 - source and target may have to be of one length
        first_sizes["target_length"] = length
        first = run(first_sizes)
    failure: Exception | None = None
    for second_sizes in _list_second_sizes(plan, first_sizes):
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


def _list_second_sizes(plan: InputPlan, first: dict[str, int]) -> Iterator[dict[str, int]]:
    """Other sizes to run at, those that tell most first; after a long first length, a short one, which costs little."""
    batch, length = first["batch"], first["length"]
    near = length - 3 if length > 4 else length + 1
    if (batch, batch + 1) == (length, near):
        near += 1  # or an axis that follows the one would seem to follow the other
    if plan.has_length and length >= _LONG:
        yield {"batch": batch + 1, "length": _SHORT, "target_length": _find_other_target(first, _SHORT)}
    yield {"batch": batch + 1, "length": near, "target_length": _find_other_target(first, near)}
    yield {"batch": batch + 1, "length": near, "target_length": near}
    yield {"batch": batch, "length": near, "target_length": near}
    yield {**first, "batch": batch + 1}
    yield first


def _find_other_target(first: dict[str, int], length: int) -> int:
    """A target length that no axis can mistake for the batch or the length."""
    taken = ((first["batch"], first["batch"] + 1), (first["length"], length))
    sizes: tuple[int, ...] = (length - 2, *range(max(length - 1, 1), length + 4))
    return next(
        size
        for size in sizes
        if 0 < size != first["target_length"] and (first["target_length"], size) not in taken
    )
