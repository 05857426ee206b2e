"""T1-HALF: a float16 copy of the model runs and stays finite where float32 does.

What it does: converts parameters, buffers and inputs of a copy to float16 and runs it once.

Why it matters: most models are served in half precision. A mask constant such as -1e9 cannot be represented in
float16, so that the converted model raises; a sum or an epsilon may leave float16's range although no activation
does.

Evidence: what the copy raises, or how many NaN and Inf it returns, and the first module that does.

Exemptions: operations that the device does not implement in float16, and models of more than 50 M parameters. Models
whose float32 activations exceed float16's range are reported by T1-STAB.

Findings:
    T1-HALF-001 warning: a constant that float16 cannot represent makes the converted model raise.
    T1-HALF-002 warning: the converted model returns NaN or Inf although float32's activations fit.

Source: IEEE 754 binary16: the largest number is 65,504, the smallest normal one 6.1e-5.
"""

from __future__ import annotations

from contextlib import suppress

import torch

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.model.call.substitution import convert_call, convert_tensors, run_substituted
from tierproof.model.gradients.objective import collect_answers
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.module_watch import find_first, watch_modules
from tierproof.model.sizes.value_range import FLOAT16_MAX, measure_range
from tierproof.model.sizes.wide_products import WideProducts

_MOST_PARAMETERS = 50_000_000
# How PyTorch refuses a constant: "value cannot be converted to type at::Half without overflow".
_OVERFLOW = "without overflow"
_REFUSALS = (RuntimeError, TypeError, ValueError, NotImplementedError)


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    model = subject.model.eval()
    if sum(parameter.numel() for parameter in model.parameters()) > _MOST_PARAMETERS:
        return CheckOutput(skipped=f"the model has more than {_MOST_PARAMETERS:,} parameters")
    call = subject.make_call(seed=context.seed)
    with torch.no_grad(), watch_modules(model, measure_range) as observations:
        torch.manual_seed(context.seed)
        answers = collect_answers(subject.forward(call))
    largest = max((item.after.largest for item in observations), default=0.0)
    if not measure_range(list(answers.values())).sound:
        return CheckOutput(skipped="the output is not finite in float32 (see T1-STAB)")
    tensors, half = convert_tensors(model, torch.float16), convert_call(call, torch.float16)
    try:
        with torch.no_grad(), WideProducts(), watch_modules(model, measure_range) as seen:
            torch.manual_seed(context.seed)
            found = measure_range(list(collect_answers(run_substituted(model, tensors, half)).values()))
    except _REFUSALS as error:
        return _judge_refusal(context, error)
    if found.sound or largest > FLOAT16_MAX:
        return CheckOutput(measurements={"largest_activation": largest, "finite": found.sound})
    first = find_first(seen, lambda values: values.sound, lambda values: not values.sound)
    finding = Finding(
        "T1-HALF-002",
        Severity.WARNING,
        f"Converted to float16, the model returns {found.nan} NaN and {found.positive_infinity} Inf, although no "
        f"activation exceeds {largest:.3g} in float32.",
        first.path if first is not None else "",
        {"nan": found.nan, "infinite": found.positive_infinity, "largest_activation": largest},
        "Compute the sums, squares and divisions of this module in float32, with an epsilon that float16 can hold.",
    )
    return CheckOutput((finding,), {"largest_activation": largest, "finite": False})


def _judge_refusal(context: CheckContext, error: Exception) -> CheckOutput:
    said = f"raises {type(error).__name__}: {str(error)[:200]}"
    if _OVERFLOW not in str(error):
        return CheckOutput(measurements={"float16": said})
    subject = context.subject
    model = subject.model
    call = convert_call(subject.make_call(seed=context.seed), torch.float16)
    with ExecutionTrace(model) as trace, suppress(*_REFUSALS), torch.no_grad():
        run_substituted(model, convert_tensors(model, torch.float16), call)
    finding = Finding(
        "T1-HALF-001",
        Severity.WARNING,
        f"Converted to float16, the model raises, because a constant is too large for float16: {str(error)[:200]}",
        trace.raised_in or "",
        {"largest_float16": FLOAT16_MAX},
        "Fill masked scores with `torch.finfo(scores.dtype).min` or -inf instead of a constant such as -1e9.",
    )
    return CheckOutput((finding,), {"float16": said})


CHECK = Check("T1-HALF", "half precision", 1, run, needs=("parameter values",), cost_steps=0.1, value=52)
