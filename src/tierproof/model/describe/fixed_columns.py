"""See whether the positions of a row are the columns of a table: a fixed number, of which none may be missing."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tierproof.model.call.input_plan import BATCH, LENGTH, Argument, InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.perturb import replace_positions
from tierproof.model.observe.search.working_call import WorkingCall

_MOST_COLUMNS = 256


def fix_columns(probe: ModelProbe, found: WorkingCall) -> InputPlan:
    """The plan with as many positions as the model reads, where fewer raise and further ones change nothing.

    It holds for one matrix of rows and columns only, whose answer has no axis of the columns; any other plan is
    returned as it is. It takes about six forward passes.
    """
    plan = found.plan
    primary = plan.primary_argument
    if not _may_be_a_table(primary, found):
        return plan
    width = plan.default_length if primary.shape[1] == LENGTH else int(primary.shape[1])
    if not 1 < width <= _MOST_COLUMNS or _run(probe, _at(plan, 1)) is not None:
        return plan
    short, enough = 1, width
    while enough - short > 1:
        middle = (short + enough) // 2
        if _run(probe, _at(plan, middle)) is None:
            short = middle
        else:
            enough = middle
    wide = _at(plan, 2 * enough)  # a window that holds none at a few more would hold some of as many again
    if _run(probe, wide) is None or _reads_beyond(probe, wide, enough):
        return plan
    note = f"{primary.name}: assumed to have {enough} columns, because the model raises with fewer and ignores more"
    return replace(_at(plan, enough), assumptions=(*plan.assumptions, note))


def _may_be_a_table(primary: Argument, found: WorkingCall) -> bool:
    """Whether the input is a matrix of ids, or of whole numbers as floats, and no output has an axis of its width."""
    if primary.sample is not None or len(primary.shape) != 2 or primary.shape[0] != BATCH:
        return False
    if primary.role != "tokens" and not primary.whole:
        return False
    size = found.plan.default_length if primary.shape[1] == LENGTH else primary.shape[1]
    return not any(size in tensor.shape[1:] for tensor in found.outputs.values())


def _at(plan: InputPlan, columns: int) -> InputPlan:
    primary = plan.primary_argument
    return plan.with_argument(replace(primary, shape=(BATCH, columns)))


def _run(probe: ModelProbe, plan: InputPlan) -> dict[str, Tensor] | None:
    try:
        return probe.run(probe.make_call(plan))
    except Exception:  # noqa: BLE001 - the answer to the question is no
        return None


def _reads_beyond(probe: ModelProbe, wide: InputPlan, columns: int) -> bool:
    """Whether other values behind these columns change an output."""
    call = probe.make_call(wide)
    primary = wide.primary_argument
    beyond = tuple(range(columns, 2 * columns))
    changed = replace_positions(primary, call.tensors[primary.name], 1, beyond, seed=probe.seed)
    before, after = probe.run(call), probe.run(call.with_argument(primary.name, changed))
    return any(
        path not in after or not torch.equal(tensor.nan_to_num(), after[path].nan_to_num())
        for path, tensor in before.items()
        if tensor.is_floating_point()
    )
