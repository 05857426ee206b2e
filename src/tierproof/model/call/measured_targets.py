"""Find which arguments are training targets: what only the loss depends on, whatever it is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from tierproof.model.call.inputs import LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.outputs import OutputPlan
from tierproof.model.call.perturb import can_perturb, replace_values
from tierproof.model.call.read_outputs import read_outputs


def find_targets(probe: ModelProbe, plan: InputPlan, outputs: OutputPlan) -> tuple[InputPlan, OutputPlan]:
    """Give the role of targets to each argument that moves the loss and leaves the answer as it is.

    A model that requires its targets is then judged as the same model that takes them or not.
    """
    if outputs.loss is None:
        return plan, outputs
    for argument in plan.arguments:
        if (
            argument.name != plan.primary
            and can_perturb(argument)
            and _moves_loss_only(probe, plan, outputs, argument)
        ):
            plan, outputs = _settle(probe, plan, outputs, argument)
    return plan, outputs


def _moves_loss_only(probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, argument: Argument) -> bool:
    call = probe.make_call(plan)
    given = call.tensors.get(argument.name)
    if given is None or outputs.loss is None:
        return False
    moved = replace_values(argument, given, torch.ones(1, dtype=torch.bool), seed=probe.seed + 1)
    try:
        before, after = probe.run(call), probe.run(call.with_argument(argument.name, moved))
    except Exception:  # noqa: BLE001 - other values are refused: the argument stays what it was taken for
        return False
    paths = (outputs.main, outputs.loss)
    if any(path not in found for path in paths for found in (before, after)) or outputs.main == outputs.loss:
        return False
    same = torch.equal(before[outputs.main], after[outputs.main])
    return same and not torch.equal(before[outputs.loss], after[outputs.loss])


def _settle(
    probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, argument: Argument
) -> tuple[InputPlan, OutputPlan]:
    """The plan with the first reading of the targets under which the model runs."""
    for targets in _read_targets(plan, outputs, argument):
        changed = plan.with_argument(targets)
        try:
            return changed, read_outputs(probe, changed)
        except Exception:  # noqa: BLE001 - this range or length of targets is not the model's
            continue
    return plan, outputs


def _read_targets(plan: InputPlan, outputs: OutputPlan, argument: Argument) -> Iterator[Argument]:
    """As long as the answer and over all classes, then as the argument is drawn now."""
    targets = replace(argument, role="targets")
    classes = outputs.axes[-1] if outputs.role == "logits" and outputs.axes else None
    if argument.sample is None and not argument.dtype.is_floating_point:
        high = classes if isinstance(classes, int) else argument.high
        follows = outputs.axes[outputs.length_axis] if outputs.per_position else LENGTH
        same_length = TARGET_LENGTH in argument.shape and plan.has_length
        shape = tuple(follows if size == TARGET_LENGTH and same_length else size for size in argument.shape)
        yield replace(targets, high=high, shape=shape, avoid=plan.primary_argument.avoid)
    yield targets
