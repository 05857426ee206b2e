"""T1-PACK: documents that are packed into one row do not read each other.

What it does: if the forward takes ids of documents, it packs two documents into a row, replaces the tokens of one, and
checks whether the outputs of the other change.

Why it matters: short texts are packed so that no position is wasted. If attention, a convolution or a state crosses
the boundary, each document is trained on the end of an unrelated one, and no loss curve shows it.

Evidence: the largest change of the outputs of the untouched document, relative to the standard deviation of all.

Exemptions: models without such an argument; models that refuse ids of two documents. The argument is known by its
name alone, so there are only warnings. `segment_ids` mean documents in causal models only: an encoder reads a pair.

Findings:
    T1-PACK-001 warning: the outputs of a document depend on another document of the same row.
    T1-PACK-002 warning: the ids of documents have no effect.

Source: Krell et al. 2021 (arXiv 2107.02027), section 3.2: packing needs a mask that is block diagonal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.input_plan import Argument
from tierproof.model.call.perturb import find_followed_argument, replace_positions
from tierproof.model.compare.comparison import measure_change, measure_spread
from tierproof.model.compare.locate import locate_first_divergence
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.subject import Subject

CODE = "T1-PACK"
_NAMES = (
    "document_ids",
    "document_id",
    "doc_ids",
    "doc_id",
    "documents",
    "seq_idx",
    "sequence_ids",
    "seq_ids",
    "sample_ids",
    "packing_ids",
)
_CAUSAL_NAMES = ("segment_ids", "segments")
# Some count documents from 1, because 0 is padding; others from 0.
_FIRST_IDS = (1, 0)
_LENGTH = 12


@dataclass(frozen=True)
class _Packed:
    """A row of two documents, and what it gave.

    Attributes:
        boundary: the first position of the second document.
    """

    base: Baseline
    name: str
    followed: Argument
    call: Call
    answer: Tensor
    boundary: int

    @property
    def axis(self) -> int:
        """The answer's axis of positions."""
        return self.base.answers.subject.outputs.length_axis


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    name = _find_name(subject)
    if not name:
        return CheckOutput(skipped="no input says which document a token belongs to")
    followed = find_followed_argument(subject.inputs.arguments, subject.outputs)
    if followed is None:
        return CheckOutput(skipped="no input position corresponds to an output position")
    base = find_baseline(subject, context.seed, batch=1, length=_LENGTH)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    packed = _pack(base, name, followed)
    if isinstance(packed, str):
        return CheckOutput(skipped=packed)
    return _judge(packed, context.seed)


def _find_name(subject: Subject) -> str:
    names = _NAMES + (_CAUSAL_NAMES if subject.traits.causal_measured else ())
    signature = read_signature(subject.model)
    given = {argument.name for argument in subject.inputs.arguments}
    if subject.inputs.style == "mapping":
        return next((name for name in names if name in given), "")
    return next((name for name in names if name in signature or name in given), "")


def _pack(base: Baseline, name: str, followed: Argument) -> _Packed | str:
    tokens = base.call.tensors[followed.name]
    axis = followed.shape.index(base.answers.subject.outputs.axes[base.answers.subject.outputs.length_axis])
    length = tokens.shape[axis]
    if length < 4:
        return "the model takes no sequence that is long enough for two documents"
    boundary = length // 2
    for first in _FIRST_IDS:
        ids = torch.full((base.batch, length), first, dtype=torch.int64, device=tokens.device)
        ids[:, boundary:] += 1
        style = base.call.style if base.call.style == "mapping" else "keyword"
        call = replace(base.call.with_argument(name, ids), style=style)
        answer = base.answers.attempt(call)
        if answer is not None and answer.shape == base.answer.shape and bool(answer.isfinite().all()):
            return _Packed(base, name, followed, call, answer, boundary)
    return f"the forward pass gives no finite answer when `{name}` marks two documents in one row"


def _judge(packed: _Packed, seed: int) -> CheckOutput:
    length = packed.answer.shape[packed.axis]
    first, second = tuple(range(packed.boundary)), tuple(range(packed.boundary, length))
    into_second, changed_first = _measure_leak(packed, first, second, seed)
    into_first, changed_second = _measure_leak(packed, second, first, seed)
    tolerance = packed.base.tolerance
    measured: dict[str, JsonValue] = {
        "change_of_later_document": into_second,
        "change_of_earlier_document": into_first,
        "tolerance": tolerance,
    }
    if max(into_first, into_second) <= tolerance:
        return CheckOutput(measurements=measured)
    ids = packed.call.tensors[packed.name]
    single = packed.base.answers.attempt(
        packed.call.with_argument(packed.name, torch.full_like(ids, int(ids[0, 0])))
    )
    effect = measure_change(packed.answer, single) if single is not None else float("inf")
    measured["effect_of_ids"] = effect
    if effect == 0.0:
        return CheckOutput((_report_ignored(packed, tolerance),), measured)
    later = into_second > tolerance
    changed, kept = (changed_first, second) if later else (changed_second, first)
    return CheckOutput((_report_leak(packed, changed, kept, max(into_first, into_second), later),), measured)


def _measure_leak(
    packed: _Packed, replaced: tuple[int, ...], kept: tuple[int, ...], seed: int
) -> tuple[float, Call]:
    """The change of the kept document's answers when the tokens of the other are replaced, and the changed call."""
    followed, subject = packed.followed, packed.base.answers.subject
    axis = followed.shape.index(subject.outputs.axes[subject.outputs.length_axis])
    tokens = replace_positions(followed, packed.call.tensors[followed.name], axis, replaced, seed=seed + 1)
    call = packed.call.with_argument(followed.name, tokens)
    answer = packed.base.answers(call)
    index = torch.tensor(kept, device=answer.device)
    before, after = (item.index_select(packed.axis, index) for item in (packed.answer, answer))
    return measure_change(before, after, spread=measure_spread(packed.answer)), call


def _report_ignored(packed: _Packed, tolerance: float) -> Finding:
    return Finding(
        f"{CODE}-002",
        Severity.WARNING,
        f"`{packed.name}` has no effect: the model reads two documents in one row as one.",
        "",
        {"argument": packed.name, "largest_change": 0.0, "tolerance": tolerance},
        f"Let each position attend only to positions with the same value in `{packed.name}`.",
    )


def _report_leak(packed: _Packed, changed: Call, kept: tuple[int, ...], leak: float, later: bool) -> Finding:
    where = locate_first_divergence(
        packed.base.answers.subject.model,
        packed.call,
        changed,
        _differ_at(kept, packed.answer.shape[packed.axis], packed.base.tolerance),
        seed=packed.base.answers.seed,
    )
    reader, read = ("later", "earlier") if later else ("earlier", "later")
    return Finding(
        f"{CODE}-001",
        Severity.WARNING,
        f"In a row of two documents (`{packed.name}`), the outputs of the {reader} document change with the tokens of "
        f"the {read} document: attention or another operation crosses the boundary.",
        where,
        {"argument": packed.name, "largest_change": leak, "tolerance": packed.base.tolerance},
        f"Combine the mask with `{packed.name}[:, :, None] == {packed.name}[:, None, :]`, and reset convolutions and "
        "states at each boundary.",
    )


def _differ_at(kept: tuple[int, ...], length: int, tolerance: float) -> Callable[[Tensor, Tensor], bool]:
    def violates(a: Tensor, b: Tensor) -> bool:
        axes = [axis for axis in range(a.dim()) if a.shape[axis] == length]
        if a.shape != b.shape or len(axes) != 1:
            return False
        index = torch.tensor(kept, device=a.device)
        return measure_change(a.index_select(axes[0], index), b.index_select(axes[0], index)) > tolerance

    return violates


CHECK = Check(
    CODE,
    "packed documents",
    1,
    run,
    needs=("parameter values", "unquantised layers"),
    cost_steps=0.2,
    value=65,
)
