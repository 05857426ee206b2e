"""T1-POS: tables of positions tell positions apart, and what they hold reaches the output.

What it does: finds the tables that the forward adds to its activations or multiplies them with, one row for each
position, and takes their rank. Then it replaces each buffer of rows that the forward reads by noise, and checks whether
any output changes.

Why it matters: frequencies that were computed in integers, or a mask that is inverted, leave nothing of the
positions. The model still trains, but without the order of the tokens.

Evidence: the rank of the table, without its mean row, and the number of its rows; the largest change of an output.

Exemptions: trainable tables (training determines their values), tables narrower or shorter than eight, tables that are
square (masks, distances), factors without a negative value (masks, decays), buffers that the forward does not read,
that hold one value or one row only (empty caches), or that are not finite.

Findings:
    T1-POS-001 warning: the rows of a table of positions lie in at most two dimensions.
    T1-POS-002 warning: the forward reads a table, but nothing that it holds reaches the output.

Source: sinusoids of d/2 frequencies have rank d up to rounding (Vaswani et al. 2017, section 3.5).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.call.substitution import draw_noise, run_substituted
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.observe.parameter_use import find_used_tensors
from tierproof.model.observe.table_additions import TableUse, find_tables

CODE = "T1-POS"
# Below this a table may be of low rank by its size.
_LEAST_ROWS = 8
_LEAST_WIDTH = 8
# One frequency gives a sine and a cosine.
_LOW_RANK = 2
# Rounding of a float32 table; the slowest of four frequencies still leaves more than this of its cosine.
_RANK_TOLERANCE = 1e-5
_SAME_COLUMN = 1e-3  # share of its size by which a column differs from another
# Distinct from usual widths and head counts.
_LENGTH = 19
# Each costs one forward pass.
_MOST_BUFFERS = 12


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    base = find_baseline(subject, context.seed, batch=1, length=_LENGTH)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    measured: dict[str, JsonValue] = {}
    findings = _judge_ranks(base, measured) + _judge_buffers(base, measured)
    return CheckOutput(tuple(findings), measured)


def _judge_ranks(base: Baseline, measured: dict[str, JsonValue]) -> list[Finding]:
    answers = base.answers
    torch.manual_seed(answers.seed)
    found = find_tables(answers.subject.model, lambda: answers.subject.forward(base.call))
    tables = [use for use in found if _tells_positions(use)]
    ranks = [_measure_rank(use.values) for use in tables]
    measured["table_ranks"] = list(ranks[:20])
    low = [
        (use, rank)
        for use, rank in zip(tables, ranks, strict=True)
        if rank <= _LOW_RANK and _count_distinct_columns(use.values) <= max(2, use.values.shape[1] // 4)
    ]
    if not low:
        return []
    use, rank = low[0]
    where = _find_owner(base, use.values) or use.path
    return [
        Finding(
            f"{CODE}-001",
            Severity.WARNING,
            f"The position table has {use.values.shape[1]} columns, but its rank is {rank}: nearly all columns repeat "
            "each other.",
            where,
            {"rank": rank, "rows": use.values.shape[0], "width": use.values.shape[1], "added": use.added},
            "The frequencies were probably rounded to integers. Compute them in floating point, one for each pair of "
            "columns: `torch.exp(-math.log(10000.0) * torch.arange(0, dim, 2) / dim)`.",
        )
    ]


def _tells_positions(use: TableUse) -> bool:
    """Whether a table is one of positions: distinct rows, and as a factor both signs."""
    values = use.values
    if values.shape[0] < _LEAST_ROWS or values.shape[1] < _LEAST_WIDTH:
        return False
    if not bool(values.isfinite().all()) or (not use.added and bool((values >= 0).all())):
        return False
    distinct = torch.unique(values, dim=0).shape[0]
    return bool(distinct > values.shape[0] // 2)


def _measure_rank(values: Tensor) -> int:
    centred = values.double() - values.double().mean(0)
    return int(torch.linalg.matrix_rank(centred.cpu(), rtol=_RANK_TOLERANCE))


def _count_distinct_columns(values: Tensor) -> int:
    """How many columns are unlike: slow waves are all nearly straight lines over few positions, of distinct slopes."""
    columns = values.double().mT
    columns = columns[(columns - columns[:, :1]).abs().amax(1) > 0]
    kept: list[Tensor] = []
    for column in columns:
        if all((column - other).norm() > _SAME_COLUMN * max(column.norm(), other.norm()) for other in kept):
            kept.append(column)
    return len(kept)


def _find_owner(base: Baseline, values: Tensor) -> str:
    """The module whose buffer the table was read from."""
    for name, buffer in base.answers.subject.model.named_buffers():
        if buffer.dim() < 2 or buffer.shape[-1] != values.shape[1]:
            continue
        rows = buffer.detach().reshape(-1, buffer.shape[-1])[: values.shape[0]]
        if rows.shape == values.shape and torch.equal(rows.to(values), values):
            return name.rpartition(".")[0]
    return ""


def _judge_buffers(base: Baseline, measured: dict[str, JsonValue]) -> list[Finding]:
    """Replace each table that the forward reads by noise, and compare everything that the model returns."""
    model, answers = base.answers.subject.model, base.answers
    tables = {name: buffer for name, buffer in model.named_buffers() if _holds_rows(buffer)}
    if not tables:
        return []
    call = _without_padding(base)
    read = find_used_tensors(tables, model, lambda: answers.forward(call))
    before = _collect_outputs(answers.forward(call))
    if not before:
        return []
    silent = []
    generator = torch.Generator().manual_seed(answers.seed)
    for name in list(read)[:_MOST_BUFFERS]:
        noise = {name: draw_noise(tables[name], generator)}
        torch.manual_seed(answers.seed)
        try:
            with torch.no_grad():
                after = _collect_outputs(run_substituted(model, noise, call))
        except Exception:  # noqa: BLE001 - a buffer whose values the model insists on is no table of noise
            continue
        if _agree(before, after):
            silent.append(name)
    measured["tables_without_effect"] = list(silent)
    if not silent:
        return []
    first = silent[0]
    return [
        Finding(
            f"{CODE}-002",
            Severity.WARNING,
            f"The forward reads the table `{first}` of {tables[first].shape[-2]} rows, but nothing that it holds "
            "reaches an output.",
            first.rpartition(".")[0],
            {"buffers": list(silent[:8]), "largest_change": 0.0},
            "Look for a mask or factor of zero between the table and the output, for example a mask that is 1 at "
            "padding where it should be 1 at valid positions.",
        )
    ]


def _without_padding(base: Baseline) -> Call:
    """The call with every id of a padding row replaced: an inverted mask still shows positions of padding."""
    subject, call = base.answers.subject, base.call
    rows = {
        module.padding_idx
        for module in subject.model.modules()
        if isinstance(module, nn.Embedding) and module.padding_idx is not None
    }
    for argument in subject.inputs.arguments:
        ids = call.tensors.get(argument.name)
        if ids is None or argument.role != "tokens" or argument.sample is not None:
            continue
        other = next((i for i in range(argument.low, argument.high) if i not in rows | argument.avoid), None)
        if other is not None:
            for row in rows:
                ids = ids.masked_fill(ids == row, other)
            call = call.with_argument(argument.name, ids)
    return call


def _holds_rows(buffer: Tensor) -> bool:
    """Whether a buffer is a table with rows that differ."""
    if buffer.is_meta or buffer.layout is not torch.strided or not buffer.is_floating_point():
        return False
    if buffer.dim() < 2 or min(buffer.shape[-2:]) < 2:
        return False
    rows = buffer.detach().reshape(-1, buffer.shape[-1]).double()
    return bool(rows.isfinite().all()) and bool((rows != rows[0]).any())


def _collect_outputs(output: object) -> list[Tensor]:
    return [t.clone() for _, t in iterate_tensors(output) if t.is_floating_point() or t.is_complex()]


def _agree(before: Iterable[Tensor], after: Iterable[Tensor]) -> bool:
    return all(measure_change(a, b) == 0.0 for a, b in zip(before, after, strict=True))


CHECK = Check(CODE, "positions", 1, run, needs=("parameter values",), cost_steps=0.3, value=63)
