"""Complete an input plan that works: the range of token ids, the batch axis, and whether the length can vary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from torch import nn

from tierproof.core.standing import Standing
from tierproof.model.call.batch_axis import decide_batch_axis, declares_length_first, find_independent_axes
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.max_length import MaximumLength
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.solve.failed_place import raised_by_the_model
from tierproof.model.call.varied_axes import free_given_axes
from tierproof.model.describe.declared_sizes import find_declared_length, prefer_declared_size
from tierproof.model.describe.fixed_columns import fix_columns
from tierproof.model.describe.length_range import measure_length_range
from tierproof.model.observe.lookup_probe import LookupProbe
from tierproof.model.observe.position_tables import find_position_tables
from tierproof.model.observe.search.working_call import WorkingCall

_USUAL_LENGTH = InputPlan.default_length


def settle_inputs(
    probe: ModelProbe, found: WorkingCall, declared: MaximumLength, tables: Mapping[int, str]
) -> InputPlan:
    """Complete the plan of a working call with what that call, and a few more, showed.

    Args:
        declared: the maximum length that was declared before the model ran.
        tables: the model's tensors before it ran, by identity.
    """
    given = any(argument.sample is not None for argument in found.plan.arguments)
    found = prefer_declared_size(probe, found)
    found = replace(found, plan=fix_columns(probe, found))
    plan = (
        free_given_axes(probe, found.plan)
        if given
        else _join_lengths(probe, _orient(probe, _read_vocabulary(probe, found), found))
    )
    if plan.has_length or any(TARGET_LENGTH in a.shape for a in plan.arguments):
        maximum = declared if declared.length is not None else _measure_maximum(probe, plan, found, tables)
        plan = replace(
            plan,
            max_length=maximum.length,
            max_length_source=maximum.source,
            max_length_standing=maximum.standing,
        )
    return plan if given else measure_length_range(probe, _fix_length(probe, plan))


def _measure_maximum(
    probe: ModelProbe, plan: InputPlan, found: WorkingCall, tables: Mapping[int, str]
) -> MaximumLength:
    """The rows of the smallest table that is read by position; one of fewer rows than ran is of something else."""
    rows = [(size, "a table that is looked up at 0, 1, 2, …") for size in found.lookups.position_rows]
    rows += [
        (table.usable, f"position table {table.path}: {table.use}")
        for table in find_position_tables(probe, plan, tables)
    ]
    rows = [(size, use) for size, use in rows if size >= plan.default_length]
    return MaximumLength(*min(rows), Standing.MEASURED) if rows else MaximumLength()


def _read_vocabulary(probe: ModelProbe, found: WorkingCall) -> InputPlan:
    """Set each token argument's range to the table it was looked up in."""
    plan, lookups, spec = found.plan, found.lookups, probe.spec
    for argument in plan.arguments:
        if argument.role != "tokens" or spec.vocab_size is not None:
            continue
        rows = [size for size in lookups.rows.get(argument.name, []) if size > 1]
        if rows:
            high = min(rows) if argument.high <= 2 else min(argument.high, *rows)
            plan = plan.with_argument(
                replace(
                    argument,
                    high=high,
                    source=argument.source or f"looked up in a table of {min(rows)} rows",
                    standing=max(argument.standing, Standing.MEASURED),
                )
            )
        elif argument.high <= 2:
            plan = replace(
                plan,
                assumptions=(
                    *plan.assumptions,
                    f"{argument.name}: unknown vocabulary, so ids are 0 or 1; set `ModelSpec(vocab_size=…)`",
                ),
            )
    return _avoid_padding(probe, plan)


def _avoid_padding(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    """Draw no padding: the declared id, or the `padding_idx` of a table of the primary argument's rows.

    It is done once the range is known: a range of two ids without one of them would leave one id.
    """
    pad = plan.pad_token_id
    primary = plan.primary_argument
    if pad is None and primary.role == "tokens":
        declared = {
            module.padding_idx % primary.high
            for module in probe.model.modules()
            if isinstance(module, nn.Embedding | nn.EmbeddingBag)
            and module.padding_idx is not None
            and module.num_embeddings == primary.high
        }
        pad = declared.pop() if len(declared) == 1 else None
    if pad is None:
        return plan
    arguments = tuple(
        replace(a, avoid=a.avoid | {pad}) if a.role == "tokens" and a.high > 2 else a for a in plan.arguments
    )
    return replace(plan, arguments=arguments, pad_token_id=pad)


def _orient(probe: ModelProbe, plan: InputPlan, found: WorkingCall) -> InputPlan:
    """Put the batch on axis 1 if the model takes (length, batch)."""
    primary = plan.primary_argument
    if primary.shape[:2] != (BATCH, LENGTH) or primary.sample is not None:
        return plan
    swapped = _swap_axes(plan)
    if probe.spec.batch_first is not None:
        return plan if probe.spec.batch_first else swapped
    if not declares_length_first(probe.model):
        return plan
    call = probe.make_call(plan, batch=3, length=plan.clip_length(5), target_length=plan.clip_length(5))
    try:
        with LookupProbe(call.tensors) as seen:
            outputs = probe.run(call)
    except Exception:  # noqa: BLE001 - the same call fails as a finding in T1-SHAPE
        return plan
    main = next((path for path in outputs if path in found.outputs and outputs[path].dim() > 1), None)
    if main is None:
        return plan
    independent = find_independent_axes(lambda changed: probe.run(changed)[main], call, primary)
    axis = decide_batch_axis(independent, seen.lookups.position_lengths, plan.clip_length(5))
    return plan if axis == 0 else swapped


def _swap_axes(plan: InputPlan) -> InputPlan:
    def swap(argument: Argument) -> Argument:
        if argument.shape[0] != BATCH or len(argument.shape) < 2 or not isinstance(argument.shape[1], str):
            return argument
        return replace(argument, shape=(argument.shape[1], BATCH, *argument.shape[2:]))

    return replace(plan, arguments=tuple(swap(argument) for argument in plan.arguments))


def _join_lengths(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    """Make two sequences one where the model runs only if they are of one length, as ids and their segments are."""
    if not plan.has_length or not any(TARGET_LENGTH in a.shape for a in plan.arguments):
        return plan
    length = plan.default_length
    if any(_runs(probe, plan, length, other) for other in (length - 1, length + 1)):
        return plan
    if (following := _follow_target(probe, plan)) is not None:
        return following
    arguments = tuple(
        replace(a, shape=tuple(LENGTH if size == TARGET_LENGTH else size for size in a.shape))
        for a in plan.arguments
    )
    return replace(plan, arguments=arguments)


def _follow_target(probe: ModelProbe, plan: InputPlan) -> InputPlan | None:
    """The plan in which further arguments are as long as the target, as labels are; None if it does not run so."""
    length = plan.default_length
    followers = [a for a in plan.arguments[2:] if LENGTH in a.shape and a.name != plan.primary]
    if not followers:
        return None
    for argument in followers:
        shape = tuple(TARGET_LENGTH if size == LENGTH else size for size in argument.shape)
        plan = plan.with_argument(replace(argument, shape=shape))
    runs = any(_runs(probe, plan, length, other) for other in (length - 1, length + 1))
    return plan if runs else None


def _fix_length(probe: ModelProbe, plan: InputPlan) -> InputPlan:
    """If a model runs at only one length, make that length fixed, and note it for the report.

    Of a model of tokens, it must refuse every other length in words of its own; else that is a finding of T1-SHAPE.
    """
    if not plan.has_length:
        return plan
    length = plan.default_length
    others = {length - 1, length + 1, max(length // 2, 1)} - {length}
    if plan.primary_argument.role == "tokens":
        usual = length == _USUAL_LENGTH  # the first that is tried: a length of the model's own is another one
        if usual or not all(_refuses(probe, plan, other) for other in sorted({*others, 1} - {length})):
            return plan
    elif any(_runs(probe, plan, other) for other in sorted(others)):
        return plan
    elif (declared := find_declared_length(probe, plan)) is not None:
        length, plan = declared, replace(plan, default_length=declared)
    arguments = tuple(
        replace(a, shape=tuple(length if size == LENGTH else size for size in a.shape))
        for a in plan.arguments
    )
    note = f"the model runs at length {length} only"
    return replace(plan, arguments=arguments, max_length=None, assumptions=(*plan.assumptions, note))


def _refuses(probe: ModelProbe, plan: InputPlan, length: int) -> bool:
    """Whether the model's own code refuses a length, by an assertion or a ValueError."""
    try:
        probe.run(probe.make_call(plan, length=length, target_length=length))
    except (AssertionError, ValueError) as error:
        return raised_by_the_model(error)
    except Exception:  # noqa: BLE001 - it fails, and does not refuse
        return False
    return False


def _runs(probe: ModelProbe, plan: InputPlan, length: int, target_length: int | None = None) -> bool:
    if length < 1 or target_length == 0:
        return False
    try:
        probe.run(probe.make_call(plan, length=length, target_length=target_length))
    except Exception:  # noqa: BLE001 - the answer to the question is no
        return False
    return True
