"""Propose the ways in which a model may be called, the most likely first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tierproof.model.call.forward_signature import ForwardSignature
from tierproof.model.call.input_plan import LENGTH, TARGET_LENGTH, InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.propose.given_inputs import plan_given_inputs
from tierproof.model.call.propose.guessed_inputs import propose_guessed_inputs
from tierproof.model.call.propose.transformers_inputs import (
    is_transformers_model,
    propose_transformers_inputs,
)


def propose_calls(
    probe: ModelProbe, signature: ForwardSignature, inputs: Any, max_length: int | None
) -> list[InputPlan]:
    """List input plans with their default sizes, in the order in which to try them.

    Args:
        inputs: the user's sample inputs, which are then the only proposal; None to work inputs out.
        max_length: the longest input that the model declares.
    """
    plans = [
        replace(plan, default_batch=batch, default_length=length)
        for plan in _propose_plans(probe, signature, inputs)
        for batch, length in _propose_sizes(plan, max_length)
    ]
    # At length 1 an axis of channels passes for the length: that is tried where nothing else runs.
    return sorted(plans, key=lambda plan: plan.default_length == 1)


def _propose_plans(probe: ModelProbe, signature: ForwardSignature, inputs: Any) -> Iterator[InputPlan]:
    if inputs is not None:
        yield replace(plan_given_inputs(inputs, signature, probe.spec), given_seed=probe.seed)
        return
    model = probe.model
    if is_transformers_model(model):
        for plan in propose_transformers_inputs(model, signature, probe.spec):
            yield plan
            if plan.padding and next(model.parameters()).is_meta:
                bare = _without_masks(plan)  # whether a mask hides anything is asked of its values
                yield from (bare, replace(bare, constants={}))  # and without a cache, of positions too
    yield from propose_guessed_inputs(model, signature, probe.spec)


def _without_masks(plan: InputPlan) -> InputPlan:
    kept = tuple(a for a in plan.arguments if a.role not in ("mask", "hide_mask"))
    return replace(plan, arguments=kept, padding="")


def _propose_sizes(plan: InputPlan, max_length: int | None) -> list[tuple[int, int]]:
    given = any(argument.sample is not None for argument in plan.arguments)
    if given:
        return [(plan.default_batch, plan.default_length)]
    if not any(size in argument.shape for argument in plan.arguments for size in (LENGTH, TARGET_LENGTH)):
        return [(2, 16), (1, 16)]
    wanted = [16 if max_length is None else min(16, max_length), 8, 4]
    if max_length is not None and max_length <= 8192:
        wanted.append(max_length)
    wanted += [32, 64, 128, 1]
    sizes = [(2, length) for length in dict.fromkeys(wanted) if max_length is None or length <= max_length]
    return [*sizes, (1, sizes[0][1])]
