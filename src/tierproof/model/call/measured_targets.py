"""Find which arguments are training targets: what only the loss depends on, whatever it is called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
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
    if given is None or outputs.loss is None or outputs.main == outputs.loss:
        return False
    # A mean over as many zeros as ones stays the same if all are exchanged: then some are replaced alone.
    some = (torch.arange(given.numel()) % 3 > 0).reshape(given.shape)
    return any(
        _moves_loss(probe, outputs, call, argument, where)
        for where in (torch.ones(1, dtype=torch.bool), some)
    )


def _moves_loss(
    probe: ModelProbe, outputs: OutputPlan, call: Call, argument: Argument, where: torch.Tensor
) -> bool:
    """Whether other values at these places move the loss, and leave the answer as it is."""
    moved = replace_values(argument, call.tensors[argument.name], where, seed=probe.seed + 1)
    try:
        before, after = probe.run(call), probe.run(call.with_argument(argument.name, moved))
    except Exception:  # noqa: BLE001 - other values are refused: the argument stays what it was taken for
        return False
    if any(path not in found for path in (outputs.main, outputs.loss) for found in (before, after)):
        return False
    loss = str(outputs.loss)
    return torch.equal(before[outputs.main], after[outputs.main]) and not torch.equal(
        before[loss], after[loss]
    )


def _settle(
    probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, argument: Argument
) -> tuple[InputPlan, OutputPlan]:
    """The plan with the first reading of the targets under which the model runs."""
    for changed in _read_targets(plan, outputs, argument):
        try:
            return changed, read_outputs(probe, changed)
        except Exception:  # noqa: BLE001 - this range or length of targets is not the model's
            continue
    return plan, outputs


def _read_targets(plan: InputPlan, outputs: OutputPlan, argument: Argument) -> Iterator[InputPlan]:
    """One for each row, as long as the answer and over all classes, then as the argument is drawn now."""
    targets = replace(argument, role="targets")
    if argument.sample is None and BATCH not in outputs.axes and len(argument.shape) == 2:
        # A loss that broadcasts takes targets of any length, as long as there is one row only.
        rows = plan.with_argument(replace(targets, shape=(BATCH,)))
        yield replace(rows, default_batch=max(2, plan.default_batch))
    classes = outputs.axes[-1] if outputs.role == "logits" and outputs.axes else None
    if argument.sample is None and not argument.dtype.is_floating_point:
        high = classes if isinstance(classes, int) else argument.high
        follows = outputs.axes[outputs.length_axis] if outputs.per_position else LENGTH
        same_length = TARGET_LENGTH in argument.shape and plan.has_length
        shape = tuple(follows if size == TARGET_LENGTH and same_length else size for size in argument.shape)
        yield plan.with_argument(replace(targets, high=high, shape=shape, avoid=plan.primary_argument.avoid))
    yield plan.with_argument(targets)
