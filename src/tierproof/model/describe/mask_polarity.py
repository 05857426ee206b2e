"""Measure which value of a required mask hides a position: what it hides has no influence, what it shows has."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tierproof.core.standing import Standing
from tierproof.model.call.call import Call
from tierproof.model.call.influence import MOVED_RELATIVE
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.outputs import OutputPlan
from tierproof.model.call.perturb import can_perturb, replace_positions
from tierproof.model.observe.lookup_probe import Lookups

_OTHER = {
    "mask": "hide_mask",
    "hide_mask": "mask",
    "causal_mask": "causal_hide_mask",
    "causal_hide_mask": "causal_mask",
}
# The first position may be pooled, so it is left alone; later ones may see these under a causal mask.
_HIDDEN, _SHOWN, _READ_FROM = (1, 2), (3, 4), 5
_LEAST_LENGTH = 7


def settle_masks(probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, lookups: Lookups) -> InputPlan:
    """Give each mask of which only the name is known the polarity under which it hides.

    A mask whose polarity cannot be measured keeps what was assumed. One of shape (batch, length) becomes the padding
    mask of the plan.
    """
    for named in plan.arguments:
        argument = _read_as_mask(probe, plan, named, lookups)
        if argument.role not in _OTHER or argument.sample is not None or argument.name == plan.padding:
            continue
        if argument.standing is not Standing.ASSUMED:
            continue
        plan = plan.with_argument(argument)
        for role in (argument.role, _OTHER[argument.role]):
            tried = plan.with_argument(replace(argument, role=role))
            if _hides(probe, tried, outputs, tried.argument(argument.name)):
                plan = _accept(tried, argument.name)
                break
    return plan


def _read_as_mask(probe: ModelProbe, plan: InputPlan, argument: Argument, lookups: Lookups) -> Argument:
    """The same argument as a mask, where integers that no table looks up are called one and the model runs with it."""
    plain = argument.role in ("tokens", "ids") and argument.high <= 2 and argument.sample is None
    sized = any(size in argument.shape for size in (LENGTH, TARGET_LENGTH))
    if not plain or not sized or argument.name == plan.primary or "mask" not in argument.name.lower():
        return argument
    mask = replace(argument, role="mask", avoid=frozenset())
    if lookups.rows.get(argument.name) or _answer(probe, plan.with_argument(mask)) is None:
        return argument
    return mask


def _accept(plan: InputPlan, name: str) -> InputPlan:
    argument = plan.argument(name)
    value = "0" if argument.role in ("mask", "causal_mask") else "1"
    source = f"positions where it is {value} have no effect on the output"
    plan = plan.with_argument(replace(argument, standing=Standing.MEASURED, source=source))
    pads = argument.role in ("mask", "hide_mask") and argument.shape == (BATCH, LENGTH)
    return replace(plan, padding=name) if pads and not plan.padding and plan.has_length else plan


def _hides(probe: ModelProbe, plan: InputPlan, outputs: OutputPlan, mask: Argument) -> bool:
    """Whether contents that the mask hides in its role change nothing, and contents that it shows change something."""
    size = mask.shape[-1]
    content = next((a for a in plan.arguments if size in a.shape and can_perturb(a)), None)
    call = probe.make_call(plan)
    given = call.tensors[mask.name]
    if (
        content is None
        or size not in (LENGTH, TARGET_LENGTH)
        or given.is_meta
        or given.shape[-1] < _LEAST_LENGTH
    ):
        return False
    hidden = given.clone()
    hidden[..., list(_HIDDEN)] = 0 if mask.role in ("mask", "causal_mask") else 1
    masked = call.with_argument(mask.name, hidden)
    tensor, axis = masked.tensors[content.name], content.shape.index(size)
    calls = [masked] + [
        masked.with_argument(
            content.name, replace_positions(content, tensor, axis, positions, seed=probe.seed + 1)
        )
        for positions in (_HIDDEN, _SHOWN)
    ]
    answers = [_read(probe, outputs, made, size) for made in calls]
    if any(answer is None or not bool(answer.isfinite().all()) for answer in answers):
        return False
    base, under_hidden, under_shown = (answer for answer in answers if answer is not None)
    return not _differ(base, under_hidden) and _differ(base, under_shown)


def _differ(first: Tensor, second: Tensor) -> bool:
    if first.shape != second.shape:
        return True
    spread = float(first.float().std()) if first.numel() > 1 else abs(float(first.float().sum()))
    return bool(((first - second).abs().float() > MOVED_RELATIVE * (spread or 1.0)).any())


def _read(probe: ModelProbe, outputs: OutputPlan, call: Call, size: str | int) -> Tensor | None:
    """The answer; without its first positions where it has those that the mask hides."""
    torch.manual_seed(probe.seed)
    try:
        answer = outputs.select(call.run(probe.model))
    except Exception:  # noqa: BLE001 - a filling that the model refuses is none that hides nothing
        return None
    if size not in outputs.axes:
        return answer
    axis = outputs.axes.index(size)
    return answer.narrow(axis, _READ_FROM, answer.shape[axis] - _READ_FROM)


def _answer(probe: ModelProbe, plan: InputPlan) -> object | None:
    try:
        return probe.run(probe.make_call(plan))
    except Exception:  # noqa: BLE001 - then it is no mask
        return None
