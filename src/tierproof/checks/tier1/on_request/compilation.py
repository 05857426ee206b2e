"""T1-COMPILE: torch.compile takes the whole model and does not change its output.

What it does: lets TorchDynamo trace the forward pass of a copy and counts graphs and graph breaks, with their
reasons. Then it compiles the copy with the backends `eager` (the traced graph, run as it is) and `aot_eager` (traced
a second time, below autograd) and compares the outputs. No compiler is needed. It runs on request.

Why it matters: each break returns to Python and limits the optimisation. A value that tracing fixes, such as a
counter or a number drawn outside torch, changes the output without an error.

Evidence: the number of graphs and breaks with the line of code of each break, and the relative change of the output.

Exemptions: models whose plain output cannot be compared. What TorchDynamo cannot trace is an info: the model still
runs without compilation.

Findings:
    T1-COMPILE-001 error: the compiled model gives a different output.
    T1-COMPILE-002 warning: compiling raises.
    T1-COMPILE-003 info: the forward pass is split into several graphs.

Source: PyTorch's documentation of torch.compile ("graph breaks", "troubleshooting").
"""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.model_pair import answer_with
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.observe.quiet_tracing import trace_quietly
from tierproof.model.preserve.copy_model import copy_sharing_values

CODE = "T1-COMPILE"
_BACKENDS = ("eager", "aot_eager")
# A compiled graph may sum in another order.
_FACTOR = 10.0
_REASONS_SHOWN = 5
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    base = find_baseline(context.subject, context.seed, batch=2)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    measured: dict[str, JsonValue] = {}
    findings: list[Finding] = []
    with trace_quietly():
        for backend in _BACKENDS:
            try:
                change = measure_change(base.answer, _answer_compiled(base, backend))
            except Exception as error:  # noqa: BLE001 - the failure is the finding
                findings.append(_report_raise(error, backend))
                break
            measured[f"{backend}_change"] = change
            if change > base.tolerance * _FACTOR:
                findings.append(_report_change(change, base.tolerance * _FACTOR, backend))
                break
        if not findings:
            findings += _count_breaks(base, measured)
    return CheckOutput(tuple(findings), measured)


def _answer_compiled(base: Baseline, backend: str) -> Tensor:
    copied = copy_sharing_values(base.answers.subject.model).eval()
    compiled: Any = torch.compile(copied, backend=backend)
    return answer_with(base, compiled)


def _count_breaks(base: Baseline, measured: dict[str, JsonValue]) -> list[Finding]:
    import torch._dynamo

    torch._dynamo.reset()
    copied = copy_sharing_values(base.answers.subject.model).eval()
    try:
        with torch.no_grad():
            args, kwargs = base.call.split()
            told = torch._dynamo.explain(copied)(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - the answers agree; only their explanation is missing
        measured["explanation"] = f"{type(error).__name__}: {str(error)[:200]}"
        return []
    measured |= {"graphs": told.graph_count, "graph_breaks": told.graph_break_count}
    if told.graph_break_count < 1:
        return []
    reasons = [_first_line(str(item.reason)) for item in told.break_reasons]
    places = [_find_place(item) for item in told.break_reasons]
    shown = [f"{reason} ({place})" for reason, place in zip(reasons, places, strict=True)]
    return [
        Finding(
            f"{CODE}-003",
            Severity.INFO,
            f"torch.compile splits the forward pass into {told.graph_count} graphs, with {told.graph_break_count} "
            f"break(s): {shown[0]}",
            "",
            {"graphs": told.graph_count, "breaks": told.graph_break_count, "reasons": shown[:_REASONS_SHOWN]},
            "Remove `.item()`, printing, NumPy and branches on tensor values from the forward pass.",
        )
    ]


def _first_line(text: str) -> str:
    return _COLOURS.sub("", text).strip().splitlines()[0][:200] if text.strip() else "no reason given"


def _find_place(reason: Any) -> str:
    """File and line of the model's code where the graph ended."""
    frames = [frame for frame in reason.user_stack if "tierproof" not in frame.filename.split("/")]
    return f"{frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else "unknown line"


def _report_change(change: float, tolerance: float, backend: str) -> Finding:
    return claim_error(
        f"{CODE}-001",
        f"Compiled with the backend `{backend}`, the model gives a different output.",
        "",
        {"relative_change": change, "tolerance": tolerance, "backend": backend},
        "Replace counters, numbers from `random` or NumPy, and values read with `.item()` by tensor operations: "
        "tracing records everything that is not a tensor as a constant.",
        rests_on=Basis.RUN,
    )


def _report_raise(error: Exception, backend: str) -> Finding:
    return Finding(
        f"{CODE}-002",
        Severity.WARNING,
        f"torch.compile raises with the backend `{backend}`: {type(error).__name__}: {_first_line(str(error))}",
        "",
        {"backend": backend, "exception": type(error).__name__},
        "Fix the function that the message names, or exclude it with `torch.compiler.disable`.",
    )


CHECK = Check(
    CODE,
    "compilation",
    1,
    run,
    needs=("parameter values",),
    cost_steps=5.0,
    value=22,
    opt_in=True,
    native=True,
)
