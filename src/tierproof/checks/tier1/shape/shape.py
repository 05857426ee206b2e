"""T1-SHAPE, shapes: every batch size and length that the model declares works and gives the expected shape.

What it does: runs the model in evaluation mode on batch sizes 1, 2 and 3 and on lengths 1, 2, odd numbers and powers
of two up to the declared maximum. It compares shape and dtype of the output with what the output plan expects: which
axis follows the batch, which the length, which is the vocabulary.

Why it matters: a position table that is one row short, a hard-coded length or a squeezed batch axis fails only at a
size that was never tried.

Evidence: the sizes, the exception or the shapes, and the innermost module that raised.

Exemptions: models without a length axis (ViT) vary the batch only. Lengths below `min_length` are not tried. If the
maximum fails but maximum - pad_token_id - 1 works, it is the position offset of the RoBERTa family and an info (6 of
132 healthy language models). Models that accept only multiples of a chunk get an info. Out of memory is recorded and
not reported. A maximum that would cost too much is recorded as not tried.

Findings:
    T1-SHAPE-001 error: a length below the maximum raises although others work.
    T1-SHAPE-002 error: the declared maximum length raises.
    T1-SHAPE-003 error or info: the output's shape is not the expected one (an info if transformers squeezes an axis).
    T1-SHAPE-004 error: the output's dtype depends on the size of the input.
    T1-SHAPE-005 error: length 1 raises.
    T1-SHAPE-006 error: a batch size raises.
    T1-SHAPE-007 info: only multiples of some length are accepted.
    T1-SHAPE-008 info: the declared maximum includes positions that the padding offset uses up (RoBERTa family).
    T1-SHAPE-009 error: every size raises.
    T1-SHAPE-010 info: inputs shorter than a pooling or convolution window are refused.
    T1-SHAPE-011 info: no maximum is declared, and the longest length that works is the size of a table.

Source: transformers' model tester covers a part of this; thresholds: `shape_cases`.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import torch

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.measurements.shape_sweep import ShapeSweep, SweptCase
from tierproof.checks.tier1.shape.bounding_table import find_table
from tierproof.checks.tier1.shape.expected_shape import find_expected_shape
from tierproof.checks.tier1.shape.larger_input import runs_larger
from tierproof.checks.tier1.shape.shape_cases import (
    ShapeCase,
    choose_cases,
    excuse_maximum,
    find_batch_length,
    find_default,
    list_batches,
)
from tierproof.checks.tier1.shape.size_hints import advise_on_raise
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.library_class import is_library_class
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.execution_trace import ExecutionTrace

CODE = "T1-SHAPE"
# A pass longer than this needs no warm-up: what the first one pays once is small beside it.
_LONG_PASS_S = 0.1
_SHOWN_ERROR_CHARACTERS = 300
# What torch says where an input is shorter than the kernel that goes over it.
_KERNEL_ERROR = re.compile(r"Kernel size can't be greater than|[Oo]utput size(: 0| is too small)")


@dataclass(frozen=True)
class CaseResult:
    """How one size went. `error` is empty exactly when the forward returned an answer."""

    case: ShapeCase
    outcome: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    error: str = ""
    where: str = ""
    inputs: str = ""

    @property
    def passed(self) -> bool:
        """Whether the forward returned."""
        return self.outcome == "passed"

    @property
    def raised(self) -> bool:
        """Whether the forward raised for a reason other than memory."""
        return self.outcome == "raised"

    @property
    def swept(self) -> SweptCase:
        """The case as it stands in the measurements."""
        return SweptCase(self.case.batch, self.case.length, self.outcome, self.shape)


def check_shapes(context: CheckContext) -> CheckOutput:
    """Sweep batch sizes and lengths; see the module's docstring."""
    subject = context.subject
    subject.model.eval()
    default = find_default(subject)
    for _ in range(2):
        began = time.perf_counter()
        results = [run_case(subject, default, context.seed)]
        forward_s = time.perf_counter() - began
        if forward_s >= _LONG_PASS_S:
            break
    cases, untried = choose_cases(subject, forward_s)
    for case in cases:
        if context.deadline.expired:
            untried.append((case, "no time left"))
        elif case != results[0].case:
            results.append(run_case(subject, case, context.seed))
    if not any(result.passed and result.case.length == find_batch_length(subject) for result in results):
        # The short length is none that the model takes: batch sizes are compared at its own.
        results += [run_case(subject, case, context.seed) for case in list_batches(subject, default.length)]
    left_out = [SweptCase(case.batch, case.length, f"not tried: {why}") for case, why in untried]
    measured = ShapeSweep(
        cases=(*(result.swept for result in results), *left_out),
        forward_s=forward_s,
        maximum_length=subject.inputs.max_length,
        maximum_length_source=subject.inputs.max_length_source,
    )
    return CheckOutput(tuple(_judge(context, results)), measured)


def run_case(subject: Subject, case: ShapeCase, seed: int) -> CaseResult:
    """Run one size without gradients and describe what came of it."""
    call = subject.make_call(batch=case.batch, length=case.length, seed=seed)
    inputs = call.describe()
    try:
        with torch.no_grad():
            answer = subject.answer(call)
    except (MemoryError, torch.OutOfMemoryError):
        return CaseResult(case, "out of memory", inputs=inputs)
    except Exception as error:  # noqa: BLE001 - reported as a finding
        text = f"{type(error).__name__}: {error}"[:_SHOWN_ERROR_CHARACTERS]
        return CaseResult(case, "raised", error=text, where=_locate(subject, case, seed), inputs=inputs)
    dtype = str(answer.dtype).removeprefix("torch.")
    return CaseResult(case, "passed", tuple(answer.shape), dtype, inputs=inputs)


def _locate(subject: Subject, case: ShapeCase, seed: int) -> str:
    """The innermost module that raises; empty when it raises only without hooks."""
    call = subject.make_call(batch=case.batch, length=case.length, seed=seed)
    trace = ExecutionTrace(subject.model)
    try:
        with torch.no_grad(), trace:
            subject.forward(call)
    except Exception:  # noqa: BLE001 - the same failure again, already reported by the caller
        return trace.raised_in or ""
    return ""


def _judge(context: CheckContext, results: list[CaseResult]) -> list[Finding]:
    passed = [result for result in results if result.passed]
    raised = [result for result in results if result.raised]
    if not passed:
        return (
            [_describe_raise(raised[0], "009", "The model raises on every input size that was tried")]
            if raised
            else []
        )
    findings = _judge_raises(context, raised, passed)
    findings += _judge_shapes(context.subject, passed)
    dtypes = sorted({result.dtype for result in passed})
    if len(dtypes) > 1:
        odd = next(result for result in passed if result.dtype != passed[0].dtype)
        findings.append(
            claim_error(
                f"{CODE}-004",
                f"The output has dtype {passed[0].dtype} for {passed[0].case}, but {odd.dtype} for {odd.case}.",
                evidence={"dtypes": dtypes, "batch": odd.case.batch, "length": odd.case.length},
                hint="Pass `dtype=` to every tensor that the forward creates, first in a branch that depends "
                "on the size.",
                rests_on=Basis.INPUTS,
            )
        )
    return findings


def _judge_raises(context: CheckContext, raised: list[CaseResult], passed: list[CaseResult]) -> list[Finding]:
    subject = context.subject
    batches = _list_refused_batches(subject, raised, passed)
    refused = {r.case.batch for r in batches}
    lengths = [r for r in raised if r not in batches and r.case.batch not in refused]
    findings = [
        _describe_raise(
            r, "006", f"The model raises for {r.case} but works for {_find_beside(r, passed).case}"
        )
        for r in batches[:1]
        if not runs_larger(subject, r.case, context.seed)
    ]
    step = _common_step(lengths, passed)
    if lengths and step > 1:
        findings.append(
            Finding(
                f"{CODE}-007",
                Severity.INFO,
                f"The model accepts only lengths that are multiples of {step}.",
                where=lengths[0].where,
                evidence={"step": step, "failed": sorted({r.case.length or 0 for r in lengths})},
                hint=f"Pad inputs to a multiple of {step}.",
            )
        )
        return findings
    if _are_too_short(subject, lengths, passed):
        shortest = min(r.case.length or 0 for r in passed)
        findings.append(
            Finding(
                f"{CODE}-010",
                Severity.INFO,
                f"The model needs at least {shortest} positions, because it pools or convolves over them.",
                where=lengths[0].where,
                evidence={"shortest_working_length": shortest, "exception": lengths[0].error},
                hint=f"Pad inputs to at least {shortest} positions.",
            )
        )
        return findings
    maximum = subject.inputs.max_length
    excused = None if maximum is None else excuse_maximum(subject, maximum)
    # Lengths between what suffices and the maximum fail with the maximum, for its reason.
    last = [r for r in lengths if r.case.length == maximum or (excused and (r.case.length or 0) > excused)]
    groups = {
        "005": [r for r in lengths if r.case.length == 1],
        "001": [r for r in lengths if r.case.length != 1 and r not in last],
        "002": sorted(last, key=lambda r: -(r.case.length or 0)),
    }
    for number, group in groups.items():
        if group:
            findings.append(_describe_length(context, number, group, passed))
    return findings


def _find_beside(raised: CaseResult, passed: list[CaseResult]) -> CaseResult:
    """One that passed, of the same length where there is one."""
    return next((r for r in passed if r.case.length == raised.case.length), passed[0])


def _list_refused_batches(
    subject: Subject, raised: list[CaseResult], passed: list[CaseResult]
) -> list[CaseResult]:
    """The cases that raise at the length at which batch sizes were compared."""
    short = find_batch_length(subject)
    length = short if any(r.case.length == short for r in passed) else find_default(subject).length
    return [r for r in raised if r.case.length == length]


def _are_too_short(subject: Subject, raised: list[CaseResult], passed: list[CaseResult]) -> bool:
    """Whether the model needs some positions to begin with: all that raised is shorter than all that passed.

    Either a kernel says so, or two positions are as little as one (Funnel halves twice). A causal model has to begin
    with one token, so it is not excused.
    """
    if not raised or subject.traits.kind == "causal-lm":
        return False
    shortest = min(r.case.length or 0 for r in passed)
    if any((r.case.length or 0) >= shortest for r in raised):
        return False
    return {1, 2} <= {r.case.length for r in raised} or all(_KERNEL_ERROR.search(r.error) for r in raised)


def _describe_length(
    context: CheckContext, number: str, group: list[CaseResult], passed: list[CaseResult]
) -> Finding:
    first = group[0]
    working = max(r.case.length or 0 for r in passed)
    declared = context.subject.inputs.max_length is not None
    if number == "002":
        maximum = first.case.length or 0
        excused = excuse_maximum(context.subject, maximum)
        working = _find_longest(context, working, maximum)
        if excused is not None and working >= excused:
            return Finding(
                f"{CODE}-008",
                Severity.INFO,
                f"Only {working} tokens fit, although the declared maximum length is {maximum}. That number also "
                "counts the rows of the position table up to the padding id, which no token uses.",
                where=first.where,
                evidence={"declared": maximum, "longest_working_length": working},
                hint=f"Truncate inputs to {working} tokens.",
            )
        message = (
            f"The model raises at its declared maximum length {maximum}; the longest that works is {working}"
        )
    elif number == "005":
        message = "The model raises for length 1"
    elif context.subject.inputs.max_length is None and all((r.case.length or 0) > working for r in group):
        working = _find_longest(context, working, min(r.case.length or 0 for r in group))
        if table := find_table(context.subject.model, working):
            return _note_undeclared_maximum(first, working, table)
        message = f"The model raises for length {first.case.length}; the longest that works is {working}"
    else:
        message = f"The model raises for length {first.case.length}, which is within its declared range"
    # A length below one that works is no matter of the maximum.
    beyond = number == "002" or all((r.case.length or 0) > working for r in group) or declared
    grounds: tuple[Basis, *tuple[Basis, ...]] = (
        (Basis.INPUTS, Basis.MAXIMUM_LENGTH) if beyond and number != "005" else (Basis.INPUTS,)
    )
    return _describe_raise(
        first, number, message, failed=group, rests_on=grounds, longest_working_length=working
    )


def _note_undeclared_maximum(first: CaseResult, longest: int, table: str) -> Finding:
    return Finding(
        f"{CODE}-011",
        Severity.INFO,
        f"Inputs longer than {longest} raise because `{table}` ends there, but no maximum length is declared.",
        where=first.where,
        evidence={"longest_working_length": longest, "table": table, "exception": first.error},
        hint=f"Declare `max_length={longest}` on the model or in `ModelSpec`, and truncate longer inputs.",
    )


def _describe_raise(
    result: CaseResult,
    number: str,
    message: str,
    failed: list[CaseResult] | None = None,
    rests_on: tuple[Basis, *tuple[Basis, ...]] = (Basis.INPUTS,),
    **evidence: JsonValue,
) -> Finding:
    return claim_error(
        f"{CODE}-{number}",
        f"{message}. The error: {result.error}",
        where=result.where,
        evidence={
            "batch": result.case.batch,
            "length": result.case.length,
            "inputs": result.inputs,
            "exception": result.error,
            "failed_lengths": sorted({r.case.length or 0 for r in failed or [result]}),
            **evidence,
        },
        hint=advise_on_raise(f"{CODE}-{number}", result.where),
        rests_on=rests_on,
    )


def _find_longest(context: CheckContext, low: int, high: int) -> int:
    """Bisect for the longest length that works, between one that works and one that raises."""
    while high - low > 1 and not context.deadline.expired:
        middle = (low + high) // 2
        if run_case(context.subject, ShapeCase(1, middle), context.seed).passed:
            low = middle
        else:
            high = middle
    return low


def _common_step(raised: list[CaseResult], passed: list[CaseResult]) -> int:
    """The largest power of two that divides every length that passed and none that raised; 1 for none.

    At least two lengths must have passed: one alone is a hard-coded length.
    """
    good = {r.case.length for r in passed if r.case.length}
    bad = {r.case.length for r in raised if r.case.length}
    if len(good) < 2:
        return 1
    for step in (1024, 512, 256, 128, 64, 32, 16, 8, 4, 2):
        if all(length % step == 0 for length in good) and all(length % step for length in bad):
            return step
    return 1


def _judge_shapes(subject: Subject, passed: list[CaseResult]) -> list[Finding]:
    for result in passed:
        expected = find_expected_shape(subject, result.case)
        mismatch = len(expected) != len(result.shape) or any(
            want is not None and want != got for want, got in zip(expected, result.shape, strict=False)
        )
        if mismatch:
            wanted = ["any" if size is None else size for size in expected]
            # Some of transformers' heads squeeze an axis of one position away, and say so.
            squeezed = [size for size in result.shape if size != 1] == [
                s for s in wanted if s not in (1, "any")
            ]
            published = squeezed and is_library_class(subject.model, "")
            return [
                claim_error(
                    f"{CODE}-003",
                    f"The output has shape {list(result.shape)} for {result.case}; expected {wanted}.",
                    evidence={
                        "batch": result.case.batch,
                        "length": result.case.length,
                        "output_shape": list(result.shape),
                        "expected_shape": wanted,
                    },
                    hint="Pass an axis to `squeeze()`, and use sizes of the input in `view()` and reductions.",
                    rests_on=Basis.INPUTS,
                    at_most=Severity.INFO if published else Severity.ERROR,
                )
            ]
    return []


CHECK = Check(CODE, "shapes", 1, check_shapes, cost_steps=2.0, value=100)
