"""Report inputs that all give the same output, by parameters that are zero or by a module that ignores them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tierproof.checks.check import CheckContext
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.model.call.call import Call
from tierproof.model.call.substitution import fill_zeros, run_substituted
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.first_steps import take_first_steps
from tierproof.model.observe.module_watch import find_first, watch_modules

CODE = "T1-STAB"


def report_collapse(context: CheckContext, call: Call, count: int) -> Finding:
    """Report that all rows of the call's answer are equal.

    Args:
        count: of rows.
    """
    subject = context.subject
    stand_ins = fill_zeros(subject.model, context.seed)
    answer = subject.outputs.select(run_substituted(subject.model, stand_ins, call))
    rows = answer.unbind(subject.outputs.batch_axis or 0)
    if stand_ins and any(not torch.equal(rows[0], row) for row in rows[1:]):
        return _report_zeros(subject, stand_ins)
    if _part_after_steps(context, call):
        return Finding(
            f"{CODE}-014",
            Severity.INFO,
            f"{count} different inputs give bit-equal outputs before training, because the differences are lost in "
            "rounding. After a few training steps the outputs differ.",
            evidence={"inputs": count},
            hint="Nothing to do if the weights start this small on purpose. Otherwise, initialise them with a larger "
            "scale.",
        )
    axis = subject.inputs.batch_axis

    def are_rows_equal(tensors: object) -> bool:
        wide = [t for t in tensors if t.dim() > axis and t.shape[axis] == count]  # type: ignore[attr-defined]
        return bool(wide) and all(torch.equal(r, t.select(axis, 0)) for t in wide for r in t.unbind(axis))

    with watch_modules(subject.model, are_rows_equal) as observations:
        subject.forward(call)
    first = find_first(observations, lambda equal: not equal, lambda equal: equal)
    return claim_error(
        f"{CODE}-005",
        f"{count} different inputs give bit-equal outputs.",
        where=first.path if first is not None else "",
        evidence={"inputs": count},
        hint="Connect the output to the input: remove a mean over everything, a saturated activation, or a branch that "
        "ignores the input.",
        rests_on=Basis.INPUTS,
    )


def _part_after_steps(context: CheckContext, call: Call) -> bool:
    """Whether the rows' answers differ after a few optimizer steps; a saturated unit, or a mean, gives no such step."""
    subject = context.subject
    with torch.enable_grad():
        values = take_first_steps(subject, call, context.seed).values
    if not values:
        return False
    answer = subject.outputs.select(run_substituted(subject.model, values, call))
    rows = answer.unbind(subject.outputs.batch_axis or 0)
    return any(not torch.equal(rows[0], row) for row in rows[1:])


def _report_zeros(subject: Subject, stand_ins: Mapping[str, Tensor]) -> Finding:
    """An info, since a head may begin at zero; a table of the tokens that is zero makes them one and the same."""
    primary = subject.inputs.primary_argument
    tables = [
        path
        for path, module in subject.model.named_modules()
        if primary.role == "tokens"
        and isinstance(module, nn.Embedding)
        and module.num_embeddings == primary.high
        and f"{path}.weight".lstrip(".") in stand_ins
    ]
    return Finding(
        f"{CODE}-014",
        Severity.WARNING if tables else Severity.INFO,
        f"The model cannot tell tokens apart: every row of `{tables[0]}` is exactly zero."
        if tables
        else "All inputs give the same output, because parameters are exactly zero.",
        where=tables[0] if tables else "",
        evidence={"zero_parameters": sorted(stand_ins)[:8]},
        hint="Set only the padding row to zero. If `padding_idx` is None, `weight[padding_idx]` is the whole table."
        if tables
        else "Nothing to do for a zero-initialised head; it changes with the first training step.",
    )
