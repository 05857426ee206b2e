"""Try extreme but valid inputs: the first and last token id, zeros, large values, length 1, masked rows."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tierproof.checks.check import CheckContext
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.module_watch import find_first, watch_modules
from tierproof.model.sizes.value_range import ValueRange, measure_range

CODE = "T1-STAB"
# A standard normal input at 100 is an image that was not scaled, or a series that was not normalised.
_LARGE = 100.0


def judge_extremes(context: CheckContext) -> list[Finding]:
    """Try the ends of the valid range of inputs."""
    subject = context.subject
    primary = subject.inputs.primary_argument
    call = subject.make_call(seed=context.seed)
    if primary.sample is not None:
        return []
    if primary.role == "tokens":
        return _judge_tokens(subject, call, _find_end_tokens(context))
    if primary.dtype.is_floating_point:
        return _judge_floats(subject, call)
    return []


def _find_end_tokens(context: CheckContext) -> dict[str, int]:
    primary = context.subject.inputs.primary_argument
    allowed = (token for token in range(primary.low, primary.high) if token not in primary.avoid)
    first = next(allowed, primary.low)
    reverse = (token for token in range(primary.high - 1, primary.low - 1, -1) if token not in primary.avoid)
    last = next(reverse, first)
    return {"the first token id": first, "the last token id": last}


def _judge_tokens(subject: Subject, call: Call, tokens: dict[str, int]) -> list[Finding]:
    name = subject.inputs.primary
    findings = []
    for words, token in tokens.items():
        changed = call.with_argument(name, torch.full_like(call.tensors[name], token))
        values, error, where = _try(subject, changed)
        if not error and values.sound:
            continue
        what = f"raises {error}" if error else f"gives {values.nan} NaN and {values.positive_infinity} Inf"
        if not error and _is_sound_among_others(subject, call, token):
            findings.append(_report_uniform(subject, changed, token, what))
            continue
        findings.append(
            claim_error(
                f"{CODE}-007",
                f"A sequence that consists only of {words} ({token}) {what}.",
                where=where if error else _locate(subject, changed),
                evidence={"token": token, "vocabulary": subject.inputs.primary_argument.high},
                hint="Give the embedding table a row for every id below the vocabulary size.",
                rests_on=Basis.INPUTS,
            )
        )
    return findings


def _is_sound_among_others(subject: Subject, call: Call, token: int) -> bool:
    """Whether a sequence that holds the token beside others is fine, so that the token's own row is."""
    if not subject.inputs.has_length:
        return False
    name, axis = subject.inputs.primary, subject.inputs.length_axis
    given = call.tensors[name]
    if given.shape[axis] < 2 or bool((given == token).all()):
        return False
    for place in (given.shape[axis] - 1, 0):
        mixed = given.clone()
        mixed.select(axis, place).fill_(token)
        values, error, _ = _try(subject, call.with_argument(name, mixed))
        if error or not values.sound:
            return False
    return True


def _report_uniform(subject: Subject, call: Call, token: int, what: str) -> Finding:
    """A warning: the id is valid, and only a sequence without any other is not.

    Where the id marks padding, that is a row of nothing but padding, for which PyTorch's own attention gives NaN.
    """
    padding = token in subject.inputs.primary_argument.avoid or any(
        isinstance(module, nn.Embedding | nn.EmbeddingBag) and module.padding_idx == token
        for module in subject.model.modules()
    )
    return Finding(
        f"{CODE}-010",
        Severity.WARNING,
        f"A row that consists only of {'padding' if padding else 'one token'} (id {token}) {what}; with other ids in "
        "the row, the output is finite.",
        where=_locate(subject, call) or _find_fast_path(subject),
        evidence={"token": token, "vocabulary": subject.inputs.primary_argument.high},
        hint="Leave one position of such a row unmasked, or set its attention weights to zero (`nan_to_num`). Add an "
        "epsilon to a normalisation over positions.",
    )


def _judge_floats(subject: Subject, call: Call) -> list[Finding]:
    name = subject.inputs.primary
    given = call.tensors[name]
    tried = {"all zero": torch.zeros_like(given)}
    if not subject.inputs.primary_argument.whole:  # ids among floats have a largest value
        tried[f"{_LARGE:g} times larger than usual"] = given * _LARGE
    for words, values in tried.items():
        changed = call.with_argument(name, values)
        found, error, where = _try(subject, changed)
        if error or not found.sound:
            what = f"raise {error}" if error else f"give {found.nan} NaN and {found.positive_infinity} Inf"
            return [
                Finding(
                    f"{CODE}-008",
                    Severity.WARNING,
                    f"Inputs that are {words} {what}.",
                    where=where if error else _locate(subject, changed),
                    evidence={"nan": found.nan, "infinite": found.positive_infinity},
                    hint="Add an epsilon to the normalisation in this module, or normalise the inputs.",
                )
            ]
    return []


def judge_length_one(context: CheckContext) -> list[Finding]:
    """Judge NaN at length 1; T1-SHAPE reports a forward that raises there."""
    subject = context.subject
    # A loss in place of an answer has no term where a single token has no next one.
    lone = subject.outputs.batch_axis is None and not subject.outputs.per_position
    if lone or not subject.inputs.has_length or subject.inputs.min_length > 1:
        return []
    call = subject.make_call(length=1, seed=context.seed)
    found, error, _ = _try(subject, call)
    if error or found.sound:
        return []
    return [
        claim_error(
            f"{CODE}-013",
            f"At length 1 the output contains {found.nan} NaN and {found.positive_infinity} Inf.",
            where=_locate(subject, call),
            evidence={"nan": found.nan, "infinite": found.positive_infinity},
            hint="In this module, handle operations that are undefined for one position: a standard deviation needs "
            "`correction=0`.",
            rests_on=Basis.INPUTS,
        )
    ]


def judge_masked_rows(context: CheckContext, measurements: dict[str, JsonValue]) -> list[Finding]:
    """Hide the whole first row: its output may be any finite value, and the other rows must not change."""
    subject, padding = context.subject, context.subject.inputs.padding
    axis = subject.outputs.batch_axis
    if not padding or axis is None:
        return []
    call = subject.make_call(batch=max(2, subject.inputs.default_batch), seed=context.seed)
    mask = call.tensors.get(padding)
    if mask is None or mask.dim() < 2:
        return []
    batch = (
        subject.inputs.argument(padding).shape.index("batch")
        if "batch" in subject.inputs.argument(padding).shape
        else 0
    )
    hidden = mask.clone()
    row = hidden.select(batch, 0)
    row.copy_(_invert(row))
    changed = call.with_argument(padding, hidden)
    try:
        answer = subject.answer(changed)
    except Exception as error:  # noqa: BLE001 - a row without any token is no valid input: measured only
        measurements["fully_masked_row"] = f"raises {type(error).__name__}: {str(error)[:200]}"
        return []
    own = measure_range([answer.select(axis, 0)])
    others = measure_range([answer.narrow(axis, 1, answer.shape[axis] - 1)])
    measurements["fully_masked_row"] = "finite" if own.sound and others.sound else "NaN"
    if own.sound and others.sound:
        return []
    spoiled = not others.sound
    return [
        claim_error(
            f"{CODE}-009" if spoiled else f"{CODE}-010",
            "A row whose positions are all masked turns the outputs of other rows into NaN."
            if spoiled
            else "The output of a row whose positions are all masked is NaN, which makes a mean or loss over the "
            "batch NaN too.",
            where=_locate(subject, changed) or _find_fast_path(subject),
            evidence={"nan_in_masked_row": own.nan, "nan_in_other_rows": others.nan},
            hint="Set the attention weights of a row without keys to zero (`nan_to_num`), or leave one "
            "position unmasked.",
            rests_on=(Basis.INPUTS, Basis.PADDING_MASK),
            at_most=Severity.ERROR if spoiled else Severity.WARNING,
        )
    ]


def _find_fast_path(subject: Subject) -> str:
    """The first module of PyTorch's that has a fused fast path, which hooks switch off: it cannot be watched."""
    fused = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
    return next((path for path, module in subject.model.named_modules() if isinstance(module, fused)), "")


def _invert(mask: Tensor) -> Tensor:
    return ~mask if mask.dtype == torch.bool else 1 - mask


def _try(subject: Subject, call: Call) -> tuple[ValueRange, str, str]:
    """The range of the answer, what the forward raises, and the innermost module that raised."""
    try:
        return measure_range([subject.answer(call)]), "", ""
    except Exception as error:  # noqa: BLE001 - becomes a finding or a measurement
        return ValueRange(), f"{type(error).__name__}: {str(error)[:200]}", _locate_raise(subject, call)


def _locate_raise(subject: Subject, call: Call) -> str:
    trace = ExecutionTrace(subject.model)
    try:
        with trace:
            subject.forward(call)
    except Exception:  # noqa: BLE001 - the same failure again, already reported by the caller
        return trace.raised_in or ""
    return ""


def _locate(subject: Subject, call: Call) -> str:
    with watch_modules(subject.model, measure_range) as observations:
        subject.forward(call)
    first = find_first(observations, lambda r: r.sound, lambda r: not r.sound)
    return first.path if first is not None else ""
