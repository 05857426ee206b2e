"""Reduced precision: autocast to bfloat16 and float16, and float16 on a copy, against finite float32."""

from __future__ import annotations

import torch

from tierproof.checks.check import CheckContext
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.call.substitution import convert_call, convert_tensors, run_substituted
from tierproof.model.compare.short_call import make_short_call
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.objective import collect_answers
from tierproof.model.observe.module_watch import Observation, find_first, watch_modules
from tierproof.model.sizes.value_range import FLOAT16_MAX, ValueRange, measure_range
from tierproof.model.sizes.wide_products import WideProducts

CODE = "T1-STAB"
_COPIED_PARAMETERS = 50_000_000


def judge_precision(context: CheckContext, call: Call, measurements: dict[str, JsonValue]) -> list[Finding]:
    """Run in bfloat16 autocast and in float16, and measure float32's largest activation."""
    subject = context.subject
    with watch_modules(subject.model, measure_range) as observations:
        subject.forward(call)
    largest = max(observations, key=lambda item: item.after.largest, default=None)
    if largest is not None:
        measurements["largest_activation"] = largest.after.largest
        measurements["largest_activation_in"] = largest.path
    beyond = find_first(observations, _fits_float16, lambda values: not _fits_float16(values))
    # Where nothing leaves float16's range, a short input shows as much.
    tried_on = call if beyond is not None else make_short_call(subject, context.seed)
    findings = _judge_bfloat16(subject, tried_on, measurements)
    measurements["float16"] = _try_float16(subject, tried_on)
    measurements["float16_autocast"] = _try_autocast(subject, tried_on)
    tried = (measurements["float16"], measurements["float16_autocast"])
    if beyond is not None and tried != ("finite", "finite"):
        findings.append(_report_overflow(beyond))
    return findings


def judge_given_precision(context: CheckContext) -> list[Finding]:
    """Whether a half-precision model, which is otherwise checked in float32, stays finite as it was given."""
    subject, precision = context.subject, context.subject.given
    if precision is None:
        return []
    with subject.as_given() as given, WideProducts():
        call = given.make_call(seed=context.seed)
        found = measure_range(list(collect_answers(given.forward(call)).values()))
        if found.sound:
            return []
        with watch_modules(given.model, measure_range) as observations:
            given.forward(call)
    first = find_first(observations, lambda values: values.sound, lambda values: not values.sound)
    if first is None:  # it came and went, as what unwritten memory holds does
        return []
    return [
        claim_error(
            f"{CODE}-001",
            f"In {precision.name}, the precision of the weights, the outputs contain {found.nan} NaN and "
            f"{found.positive_infinity} Inf; with the same weights in float32 they are finite.",
            where=first.path,
            evidence={"dtype": precision.name, "nan": found.nan, "infinite": found.positive_infinity},
            hint="Compute the softmax, norm, power or division of this module in float32.",
            rests_on=Basis.INPUTS,
        )
    ]


def _fits_float16(values: ValueRange) -> bool:
    return values.largest <= FLOAT16_MAX


def _run_bfloat16(subject: Subject, call: Call) -> tuple[ValueRange, list[Observation[ValueRange]]]:
    """The range of the answers under autocast, and those of each module's output."""
    with (
        torch.autocast(subject.device.type, dtype=torch.bfloat16),
        WideProducts(),
        watch_modules(subject.model, measure_range) as observations,
    ):
        answers = collect_answers(subject.forward(call))
    return measure_range(list(answers.values())), observations


def _judge_bfloat16(subject: Subject, call: Call, measurements: dict[str, JsonValue]) -> list[Finding]:
    try:
        found, observations = _run_bfloat16(subject, call)
        # Kernels of PyTorch may read memory that nobody wrote (a 3-D convolution on the CPU): that comes and goes.
        again = found if found.sound else _run_bfloat16(subject, call)[0]
    except Exception as error:  # noqa: BLE001 - measured: a model may refuse a precision, also with an assertion
        measurements["bfloat16_autocast"] = f"raises {type(error).__name__}: {str(error)[:120]}"
        return []
    measurements["bfloat16_autocast"] = "finite" if again.sound else "not finite"
    if again.sound:
        return []
    first = find_first(observations, lambda values: values.sound, lambda values: not values.sound)
    return [
        Finding(
            f"{CODE}-011",
            Severity.WARNING,
            f"In bfloat16 the outputs contain {found.nan} NaN and {found.positive_infinity} Inf; in float32 they are "
            "finite.",
            where=first.path if first is not None else "",
            evidence={"nan": found.nan, "infinite": found.positive_infinity},
            hint="Compute the softmax, norm or division of this module in float32.",
        )
    ]


def _try_autocast(subject: Subject, call: Call) -> str:
    """How float16 autocast fares: finite, not finite, or what it raises."""
    try:
        with torch.autocast(subject.device.type, dtype=torch.float16), WideProducts():
            answers = collect_answers(subject.forward(call))
    except Exception as error:  # noqa: BLE001 - measured, as above
        return f"raises {type(error).__name__}"
    return "finite" if measure_range(list(answers.values())).sound else "not finite"


def _try_float16(subject: Subject, call: Call) -> str:
    """How a float16 copy fares: finite, not finite, or why it was not tried."""
    size = sum(parameter.numel() for parameter in subject.model.parameters())
    if size > _COPIED_PARAMETERS:
        return f"skipped: more than {_COPIED_PARAMETERS:,} parameters"
    try:
        tensors, half = convert_tensors(subject.model, torch.float16), convert_call(call, torch.float16)
        with WideProducts():
            output = run_substituted(subject.model, tensors, half)
    except Exception as error:  # noqa: BLE001 - measured, as above
        return f"raises {type(error).__name__}"
    return "finite" if measure_range(list(collect_answers(output).values())).sound else "not finite"


def _report_overflow(beyond: Observation[ValueRange]) -> Finding:
    return Finding(
        f"{CODE}-012",
        Severity.WARNING,
        f"`{beyond.path}` returns values up to {beyond.after.largest:.3g}, but the largest float16 number is "
        f"{FLOAT16_MAX:,.0f}.",
        where=beyond.path,
        evidence={"largest_activation": beyond.after.largest, "largest_input": beyond.before.largest},
        hint="Use bfloat16 or float32 for this module, or scale the weights down.",
    )
