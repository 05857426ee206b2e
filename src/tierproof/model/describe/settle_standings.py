"""Say of each input argument what its role, its range and its sizes rest on."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tierproof.core.standing import Standing
from tierproof.model.call.call import Call
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.influence import MOVED_RELATIVE
from tierproof.model.call.input_plan import (
    BATCH,
    INFERRED,
    LENGTH,
    TARGET_LENGTH,
    Argument,
    InputPlan,
)
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.outputs import OutputPlan
from tierproof.model.call.perturb import replace_values
from tierproof.model.call.propose.guessed_inputs import IMAGE_SIZE_NAMES
from tierproof.model.observe.lookup_probe import Lookups

_MASKS = ("mask", "hide_mask")


def settle_standings(probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, lookups: Lookups) -> InputPlan:
    """Give every argument its standing; what the proposal knew already is kept.

    The user's own samples are given. A transformers model declares by its config what transformers itself names.
    Otherwise ids that were looked up, widths that a layer insists on, and masks and targets that act as such are
    measured. The rest was assumed: integers that no table looks up, or an image of a size among others that run too.
    """
    for argument in plan.arguments:
        plan = plan.with_argument(_settle(probe, plan, outputs, argument, lookups))
    return _settle_padding(probe, _doubt_optional(probe, plan), outputs)


def _doubt_optional(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    """Call an optional argument assumed where only the model's errors without it say what it holds.

    Of the first input that is true of the fixed sizes of ids alone: that they are ids is seen at their table.
    """
    optional = read_signature(probe.model).optional
    for argument in plan.arguments:
        if argument.source == INFERRED and argument.name in optional:
            plan = plan.with_argument(_doubt(argument, first=argument.name == plan.primary))
    return plan


def _doubt(argument: Argument, *, first: bool) -> Argument:
    if not first:
        source = "optional, but passed because the model raised without it"
        return replace(argument, standing=Standing.ASSUMED, source=source)
    if argument.role == "tokens" and any(isinstance(size, int) for size in argument.shape):
        return replace(argument, width_standing=Standing.ASSUMED)
    return argument


def _settle(
    probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, argument: Argument, lookups: Lookups
) -> Argument:
    if argument.sample is not None:
        return replace(argument, standing=Standing.GIVEN, source="the given sample")
    if argument.standing is Standing.MEASURED:
        return _settle_size(probe, plan, argument)
    if argument.standing is not Standing.ASSUMED:
        return argument
    if argument.role in _MASKS:
        return _settle_mask(probe, plan, outputs, argument)
    if not argument.dtype.is_floating_point:
        return _settle_ids(probe, plan, outputs, argument, lookups)
    return _settle_floats(probe, plan, argument)


def _settle_ids(
    probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, argument: Argument, lookups: Lookups
) -> Argument:
    given = Standing.GIVEN if probe.spec.vocab_size is not None else None
    rows = lookups.rows.get(argument.name, [])
    if rows:
        return replace(
            argument,
            standing=Standing.MEASURED,
            source=f"looked up in a table of {min(rows)} rows",
            range_standing=given,
            width_standing=_settle_last_size(probe, plan, argument),
        )
    if _moves_the_loss_alone(probe, plan, outputs, argument):
        return replace(argument, standing=Standing.MEASURED, source="it changes the loss but not the output")
    if given is not None and argument.name == plan.primary:
        return replace(argument, standing=Standing.GIVEN, source="ModelSpec.vocab_size")
    return replace(argument, source="integers drawn at random, because no table was found that looks them up")


def _settle_last_size(probe: ModelProbe, plan: InputPlan, argument: Argument) -> Standing | None:
    """Assumed, where ids have a last axis of a fixed size and the model accepts another size too."""
    last = argument.shape[-1]
    if len(argument.shape) < 3 or isinstance(last, str):
        return None
    longer = replace(argument, shape=(*argument.shape[:-1], last + 1))
    return Standing.ASSUMED if _runs(probe, plan.with_argument(longer)) else None


def _settle_floats(probe: ModelProbe, plan: InputPlan, argument: Argument) -> Argument:
    first = argument.name == plan.primary
    if argument.role == "image" and any(isinstance(size, int) for size in argument.shape[-2:]):
        settled = _settle_size(probe, plan, argument)
        if settled.width_standing is Standing.ASSUMED:
            return replace(settled, standing=Standing.MEASURED)
        return replace(argument, standing=Standing.MEASURED, source="of the size that the model takes")
    fixed = [axis for axis, size in enumerate(argument.shape) if isinstance(size, int)]
    if fixed:
        shape = list(argument.shape)
        shape[fixed[-1]] = int(shape[fixed[-1]]) + 1
        width = argument.shape[fixed[-1]]
        if not _runs(probe, plan.with_argument(replace(argument, shape=tuple(shape)))):
            return replace(
                argument, standing=Standing.MEASURED, source=f"of width {width}, which a layer takes"
            )
        if first:
            source = f"of width {width}, which is assumed, because the model also accepts another width"
            return replace(
                argument, standing=Standing.MEASURED, source=source, width_standing=Standing.ASSUMED
            )
    elif first:
        return replace(argument, standing=Standing.MEASURED, source="the first input; the model runs with it")
    return replace(argument, source="numbers drawn at random, because no layer was found that takes them")


def _settle_size(probe: ModelProbe, plan: InputPlan, argument: Argument) -> Argument:
    """Say that a size was assumed: an image's where twice that size runs and no attribute names it; also of ids."""
    if argument.role == "tokens":
        return replace(
            argument, width_standing=_settle_last_size(probe, plan, argument) or argument.width_standing
        )
    other = _resize(argument) if argument.role == "image" else None
    if other is None or _declares_size(probe, argument) or not _runs(probe, plan.with_argument(other)):
        return argument
    source = "of a size that is assumed, because the model also accepts other sizes"
    return replace(argument, source=source, width_standing=Standing.ASSUMED)


def _declares_size(probe: ModelProbe, argument: Argument) -> bool:
    """Whether the spec or an attribute names the image's size."""
    if probe.spec.image_size is not None:
        return True
    holders = (getattr(probe.model, "config", None), *probe.model.modules())
    sizes = {argument.shape[-1], (argument.shape[-1], argument.shape[-1]), argument.shape[-2:]}
    for holder in holders:
        for name in IMAGE_SIZE_NAMES:
            value = getattr(holder, name, None)
            if isinstance(value, list):
                value = tuple(value)
            if isinstance(value, int | tuple) and value in sizes:
                return True
    return False


def _resize(argument: Argument) -> Argument | None:
    """The image at twice its height and width; None where these are no numbers."""
    if not all(isinstance(size, int) for size in argument.shape[-2:]):
        return None
    doubled = tuple(2 * int(size) for size in argument.shape[-2:])
    return replace(argument, shape=(*argument.shape[:-2], *doubled))


def _settle_mask(probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, argument: Argument) -> Argument:
    """A mask that hides nothing is known to do so where the model answers the same without it.

    That hiding has an effect says nothing: filled the wrong way round, it has one too (see `settle_masks`).
    """
    if argument.name == plan.padding and _is_optional(probe, plan, outputs, argument):
        return replace(argument, standing=Standing.MEASURED, source="the output is the same without it")
    return replace(argument, source="assumed to be a mask because of its name")


def _settle_padding(probe: ModelProbe, plan: InputPlan, outputs: OutputPlan) -> InputPlan:
    """Say whether the padding mask was given, declared, or seen to have an effect."""
    argument = next((a for a in plan.arguments if a.name == plan.padding), None)
    if argument is None:
        return plan
    if argument.standing > Standing.MEASURED:
        return replace(plan, padding_standing=argument.standing, padding_source=argument.source)
    if _has_effect(probe, plan, outputs, argument):
        source = "hiding positions changes the outputs; a mask that hides nothing does not"
        return replace(plan, padding_standing=Standing.MEASURED, padding_source=source)
    return plan


def _is_optional(probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, argument: Argument) -> bool:
    call = probe.make_call(plan)
    without = Call(
        {n: v for n, v in call.arguments.items() if n != argument.name}, call.style, call.constants
    )
    first, second = _answer(probe, outputs, call), _answer(probe, outputs, without)
    return first is not None and second is not None and not _differ(first, second)


def _has_effect(probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, argument: Argument) -> bool:
    """Whether hiding the last positions changes the answer, at whatever position."""
    axis = next((i for i, size in enumerate(argument.shape) if size in (LENGTH, TARGET_LENGTH)), None)
    call = probe.make_call(plan)
    tensor = call.tensors[argument.name]
    if axis is None or tensor.is_meta or tensor.shape[axis] < 4:
        return False
    hidden = tensor.clone()
    last = hidden.narrow(axis, tensor.shape[axis] - 2, 2)
    last.fill_(0 if argument.role == "mask" else 1)
    first = _answer(probe, outputs, call)
    second = _answer(probe, outputs, call.with_argument(argument.name, hidden))
    return first is not None and second is not None and _differ(first, second)


def _moves_the_loss_alone(
    probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, argument: Argument
) -> bool:
    """Whether other values change the loss and leave the answer as it is: these are targets."""
    if outputs.loss is None or BATCH not in argument.shape or argument.high - argument.low < 2:
        return False
    call = probe.make_call(plan)
    tensor = call.tensors[argument.name]
    if tensor.is_meta:
        return False
    where = torch.ones(1, dtype=torch.bool)
    changed = call.with_argument(
        argument.name, replace_values(replace(argument, role="tokens"), tensor, where, seed=1)
    )
    try:
        before, after = probe.run(call), probe.run(changed)
    except Exception:  # noqa: BLE001 - then nothing is measured
        return False
    if any(path not in found for path in (outputs.main, outputs.loss) for found in (before, after)):
        return False
    return not _differ(before[outputs.main], after[outputs.main]) and _differ(
        before[outputs.loss], after[outputs.loss]
    )


def _runs(probe: ModelProbe, plan: InputPlan) -> bool:
    try:
        probe.run(probe.make_call(plan, batch=1))
    except Exception:  # noqa: BLE001 - the answer to the question is no
        return False
    return True


def _answer(probe: ModelProbe, outputs: OutputPlan, call: Call) -> Tensor | None:
    try:
        return outputs.select(call.run(probe.model))
    except Exception:  # noqa: BLE001 - a call that fails measures nothing
        return None


def _differ(first: Tensor, second: Tensor) -> bool:
    if first.shape != second.shape:
        return True
    if first.is_meta or second.is_meta:
        return False
    spread = float(first.float().std()) if first.numel() > 1 else abs(float(first.float().sum()))
    change = (first - second).abs().float()
    return bool((change > MOVED_RELATIVE * (spread or 1.0)).any())
