"""T1-BATCH: the output for a row of the batch does not depend on the other rows.

What it does: in evaluation mode, replaces the contents of each row in turn and compares the other rows; reverses the
rows; runs the last row alone.

Why it matters: if rows influence each other, a prediction depends on what else is in the batch. Common causes are a
batch axis that is taken for the sequence axis (`batch_first`), a mean or norm over the batch, a wrong reshape, and
positions counted along the batch.

Evidence: the largest change of a row that was not replaced, relative to the outputs' standard deviation, and which
rows changed.

Exemptions: if the batch appears twice in an output (CLIP's similarity matrix), other outputs are judged, or pairs of
rows if there are none. Differences that vanish in float64 are rounding. Expert models may drop tokens when an expert
is full, so they get a warning.

Findings:
    T1-BATCH-001 error or warning: the rows of a batch influence each other in evaluation mode (a warning for experts
        with a capacity).
    T1-BATCH-002 error: rows influence each other inside the model, and no output depends on its input.

Source: exact for every model that maps rows to rows in evaluation mode. transformers and Lightning test
one row; positions taken from the batch axis leave that row unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.batch_independence.batch_axis_fact import state_batch_axis
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import BATCH
from tierproof.model.call.outputs import OutputPlan
from tierproof.model.call.perturb import can_perturb, replace_position
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.locate import locate_first_divergence, rows_of_batch
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.subject import Subject

_ROWS = 3
# How attention between rows is called where it is meant (Somepalli et al. 2021, SAINT): a name excuses, and no more.
_AMONG_ROWS = re.compile(r"row_?att|inter_?sample", re.IGNORECASE)


@dataclass(frozen=True)
class _Mixing:
    """Rows that changed although their own content did not."""

    change: float
    call: Call
    rows_before: tuple[int, ...]
    rows_after: tuple[int, ...]
    how: str


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    if not any(BATCH in a.shape and can_perturb(a) for a in subject.inputs.arguments):
        return CheckOutput(skipped="the inputs have no batch axis")
    pairs = subject
    subject = _choose_rowwise_answer(subject, context.seed)
    axis = subject.outputs.batch_axis
    if axis is None:
        return _judge_pairs(pairs, context.seed)
    base = find_baseline(subject, context.seed, batch=_ROWS)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    if base.batch < 2 or base.answer.shape[axis] != base.batch:
        return CheckOutput(skipped="the model takes one row at a time")

    found = [_perturb_row(base, row, axis) for row in range(base.batch)]
    found.append(_reverse(base, axis))
    alone, alone_change = _run_alone(base, axis)
    worst = max(found, key=lambda mixing: mixing.change)
    measured: dict[str, JsonValue] = {
        "rows": base.batch,
        "neighbour_change": max(mixing.change for mixing in found[:-1]),
        "permutation_change": found[-1].change,
        "single_row_change": alone_change,
    }
    tolerance = 10 * base.tolerance if subject.traits.experts else base.tolerance
    if base.exceeds(worst.change, tolerance, lambda other: _measure_mixing(other, axis)):
        return CheckOutput((_report_mixing(base, worst, tolerance),), measured)
    if (
        alone is not None
        and alone_change is not None
        and base.exceeds(alone_change, tolerance, lambda other: _run_alone(other, axis)[1] or 0.0)
    ):
        return CheckOutput((_report_alone(base, alone, alone_change, tolerance),), measured)
    if worst.change == 0.0 and _are_rows_equal(base.answer, axis):
        return CheckOutput(_search_inside(base, found[0]), measured)
    return CheckOutput((), measured)


def _judge_pairs(subject: Subject, seed: int) -> CheckOutput:
    """Judge an output for pairs of rows, as in CLIP: a pair may depend only on its own two rows."""
    if subject.outputs.axes != ("batch", "batch"):
        return CheckOutput(skipped="no output has exactly one batch axis")
    base = find_baseline(subject, seed, batch=_ROWS)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    worst = _find_worst_pair(base)
    measured: dict[str, JsonValue] = {"rows": base.batch, "neighbour_change": worst.change}
    if base.exceeds(worst.change, base.tolerance, lambda other: _find_worst_pair(other).change):
        return CheckOutput((_report_mixing(base, worst, base.tolerance),), measured)
    return CheckOutput((), measured)


def _find_worst_pair(base: Baseline) -> _Mixing:
    found = []
    for row in range(base.batch):
        call = _replace_row(base, row)
        others = tuple(other for other in range(base.batch) if other != row)
        before, after = (
            answer[list(others)][:, list(others)] for answer in (base.answer, base.answers(call))
        )
        found.append(
            _Mixing(measure_change(before, after), call, others, others, f"when row {row} is replaced")
        )
    return max(found, key=lambda mixing: mixing.change)


def _are_rows_equal(answer: Tensor, axis: int) -> bool:
    first, *others = answer.unbind(axis)
    return all(torch.equal(first, other) for other in others)


def _search_inside(base: Baseline, mixing: _Mixing) -> tuple[Finding, ...]:
    """Look for rows that mix inside a module, which may be why no output depends on its input."""
    where = _locate_mixing(base, mixing, base.tolerance)
    if not where:
        return ()
    return (
        claim_error(
            "T1-BATCH-002",
            f"The rows of a batch influence each other inside `{where}`, which may take the batch axis for the "
            "sequence axis. The outputs hide this, because they do not depend on the input at all.",
            where,
            {"relative_change_of_answers": 0.0, "rows": base.batch},
            "Pass `batch_first=True` where the batch comes first, or remove a mean or norm over axis 0 or a "
            "reshape that "
            "joins batch and length.",
            rests_on=state_batch_axis(base, mixes_as_sequence=True),
        ),
    )


def _locate_mixing(base: Baseline, mixing: _Mixing, tolerance: float) -> str:
    return locate_first_divergence(
        base.answers.subject.model.eval(),
        base.call,
        mixing.call,
        rows_of_batch(
            mixing.rows_before,
            mixing.rows_after,
            base.batch,
            lambda a, b: measure_change(a, b) > tolerance / 10,
        ),
        seed=base.answers.seed,
    )


def _measure_mixing(base: Baseline, axis: int) -> float:
    """The largest change of a row whose own content did not change."""
    found = [_perturb_row(base, row, axis) for row in range(base.batch)]
    return max(mixing.change for mixing in (*found, _reverse(base, axis)))


def _choose_rowwise_answer(subject: Subject, seed: int) -> Subject:
    """Where the answer has the batch twice, judge another output that has it once."""
    outputs = subject.outputs
    if outputs.axes.count("batch") == 1:
        return subject
    rows = subject.inputs.default_batch
    base = find_baseline(subject, seed, batch=_ROWS)
    if isinstance(base, str):
        return subject
    for path, tensor in base.answers.tensors(base.call).items():
        axes = [axis for axis, size in enumerate(tensor.shape) if size == base.batch]
        if path != outputs.main and tensor.dim() > 1 and axes == [0] and base.batch != rows:
            names: tuple[str | int, ...] = ("batch", *("?" for _ in tensor.shape[1:]))
            return replace(subject, outputs=OutputPlan(path, names, "pooled"))
    return replace(
        subject, outputs=replace(outputs, axes=tuple("?" if a == "batch" else a for a in outputs.axes))
    )


def _perturb_row(base: Baseline, row: int, axis: int) -> _Mixing:
    call = _replace_row(base, row)
    others = tuple(other for other in range(base.batch) if other != row)
    moved = base.answers(call)
    change = _compare_rows(base.answer, moved, others, others, axis)
    return _Mixing(change, call, others, others, f"when row {row} is replaced")


def _replace_row(base: Baseline, row: int) -> Call:
    call = base.call
    for argument in base.answers.subject.inputs.arguments:
        if BATCH in argument.shape and can_perturb(argument) and argument.name in call.tensors:
            index = argument.shape.index(BATCH)
            changed = replace_position(
                argument, call.tensors[argument.name], index, row, seed=base.answers.seed + 1
            )
            call = call.with_argument(argument.name, changed)
    return call


def _reverse(base: Baseline, axis: int) -> _Mixing:
    call = _map_batch(base, lambda tensor, index: tensor.flip(index))
    there, back = tuple(range(base.batch)), tuple(reversed(range(base.batch)))
    change = _compare_rows(base.answer, base.answers(call), there, back, axis)
    return _Mixing(change, call, there, back, "when the rows are reversed")


def _run_alone(base: Baseline, axis: int) -> tuple[Call | None, float | None]:
    """Run the last row alone; None where the model refuses a batch of one."""
    last = base.batch - 1
    call = _map_batch(base, lambda tensor, index: tensor.narrow(index, last, 1))
    answer = base.answers.attempt(call)
    if answer is None or answer.dim() != base.answer.dim() or answer.shape[axis] != 1:
        return None, None
    return call, _compare_rows(base.answer, answer, (last,), (0,), axis)


def _map_batch(base: Baseline, change: Callable[[Tensor, int], Tensor]) -> Call:
    call = base.call
    for argument in base.answers.subject.inputs.arguments:
        if BATCH in argument.shape and argument.name in call.tensors:
            changed = change(call.tensors[argument.name], argument.shape.index(BATCH))
            call = call.with_argument(argument.name, changed)
    return call


def _compare_rows(
    first: Tensor, second: Tensor, rows_first: Sequence[int], rows_second: Sequence[int], axis: int
) -> float:
    index_first = torch.tensor(list(rows_first), device=first.device)
    index_second = torch.tensor(list(rows_second), device=second.device)
    return measure_change(first.index_select(axis, index_first), second.index_select(axis, index_second))


def _report_mixing(base: Baseline, worst: _Mixing, tolerance: float) -> Finding:
    where = _locate_mixing(base, worst, tolerance)
    cause = ""
    if _mixes_batch_as_sequence(base, tolerance):
        cause = " The model mixes rows but not positions: it takes the batch axis for the sequence axis."
    return _make_finding(base, worst.change, tolerance, where, worst.how, cause)


def _report_alone(base: Baseline, call: Call, change: float, tolerance: float) -> Finding:
    last = base.batch - 1

    def differ(a: Tensor, b: Tensor) -> bool:
        if a.dim() != b.dim():
            return False
        for axis, (size, other) in enumerate(zip(a.shape, b.shape, strict=True)):
            if size == base.batch and other == 1:
                a = a.narrow(axis, last, 1)
                break
        return a.shape == b.shape and measure_change(a, b) > tolerance / 2

    where = locate_first_divergence(
        base.answers.subject.model.eval(), base.call, call, differ, seed=base.answers.seed
    )
    return _make_finding(base, change, tolerance, where, "when the last row runs alone", "")


def _make_finding(
    base: Baseline, change: float, tolerance: float, where: str, how: str, cause: str
) -> Finding:
    experts = base.answers.subject.traits.experts
    return claim_error(
        "T1-BATCH-001",
        f"The rows of a batch influence each other in evaluation mode: outputs change by {change:.2g} standard "
        f"deviations {how}.{cause}"
        + (" This is intended if experts drop tokens when they are full." if experts else ""),
        where,
        {"relative_change": change, "tolerance": tolerance, "rows": base.batch},
        "Pass `batch_first=True` where the batch comes first, or remove a mean or norm over axis 0, a reshape that "
        "joins batch and length, or positions counted along the batch axis.",
        rests_on=state_batch_axis(base, mixes_as_sequence=bool(cause)),
        at_most=Severity.WARNING if experts or _AMONG_ROWS.search(where) else Severity.ERROR,
    )


def _mixes_batch_as_sequence(base: Baseline, tolerance: float) -> bool:
    """Whether replacing one token moves the same position of other rows, and no other position of its row."""
    subject, outputs = base.answers.subject, base.answers.subject.outputs
    primary = subject.inputs.primary_argument
    if outputs.batch_axis is None or not outputs.per_position or not subject.inputs.has_length:
        return False
    if base.answer.dim() < 2 or not can_perturb(primary):
        return False
    tensor = base.call.tensors[primary.name]
    row_axis, step_axis = subject.inputs.batch_axis, subject.inputs.length_axis
    row, step = 0, tensor.shape[step_axis] // 2
    swapped = replace_position(primary, tensor, step_axis, step, seed=base.answers.seed + 2)
    keep = torch.arange(base.batch, device=tensor.device) != row
    shape = [1] * tensor.dim()
    shape[row_axis] = -1
    call = base.call.with_argument(primary.name, torch.where(keep.view(shape), tensor, swapped))
    moved = (
        (base.answers(call) - base.answer).abs().movedim((outputs.batch_axis, outputs.length_axis), (0, 1))
    )
    if step >= moved.shape[1]:
        return False
    moved = moved.flatten(2).amax(2) if moved.dim() > 2 else moved
    limit = tolerance * float(base.answer.float().std())
    others = [index for index in range(moved.shape[1]) if index != step]
    return bool((moved[1:, step] > limit).any()) and not bool((moved[row, others] > limit).any())


CHECK = Check(
    "T1-BATCH",
    "batch independence",
    1,
    run,
    needs=("parameter values", "unquantised layers"),
    cost_steps=0.5,
    value=88,
)
