"""T1-EXPORT: torch.export takes the model, and the exported program gives the same output.

What it does: exports a copy for the default call (`strict=False`), runs the exported program on the same values and
on other values of the same shapes, and compares the outputs. It runs on request.

Why it matters: the exported program is what is served or converted (ONNX, ExecuTorch). A branch on values that was
taken during export is taken for every later input.

Evidence: the relative change of the output on the values used for export, and on other values.

Exemptions: models whose plain output cannot be compared. A model that cannot be exported gets an info with the
exporter's own reason.

Findings:
    T1-EXPORT-001 error: the exported program gives a different output.
    T1-EXPORT-002 info: the model cannot be exported.

Source: PyTorch's documentation of torch.export.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.call import Call
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.observe.quiet_tracing import trace_quietly
from tierproof.model.preserve.copy_model import copy_sharing_values

CODE = "T1-EXPORT"
_FACTOR = 10.0
# How torch names the line that it could not export; it shortens the path of the second form.
_CALLED = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')
_CAUSED = re.compile(r"Caused by: \((\S+\.py):(\d+) in (\w+)\)")
_TORCH = re.compile(r"(^|/)(torch|_export)/")


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    base = find_baseline(context.subject, context.seed, batch=2)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    if base.answers.stand_ins:
        return CheckOutput(
            skipped="the output is constant, because parameters are zero until they are trained"
        )
    measured: dict[str, JsonValue] = {}
    with trace_quietly():
        try:
            program = _export(base)
        except Exception as error:  # noqa: BLE001 - the failure is the finding
            return CheckOutput((_report_refusal(error),), measured)
        calls = {"change": base.call, "change_on_other_values": _draw_other_values(base)}
        for name, call in calls.items():
            try:
                change = measure_change(base.answers(call), _answer(base, program, call))
            except Exception as error:  # noqa: BLE001 - a guard of the exported program refuses the values
                measured[name] = f"{type(error).__name__}: {str(error)[:200]}"
                continue
            measured[name] = change
            if change > base.tolerance * _FACTOR:
                return CheckOutput((_report_change(change, base.tolerance * _FACTOR, name),), measured)
    return CheckOutput(measurements=measured)


def _export(base: Baseline) -> nn.Module:
    copied = copy_sharing_values(base.answers.subject.model).eval()
    args, kwargs = base.call.split()
    with torch.no_grad():
        program = torch.export.export(copied, args, kwargs, strict=False)
    module: nn.Module = program.module()
    return module


def _answer(base: Baseline, program: nn.Module, call: Call) -> Tensor:
    args, kwargs = call.split()
    torch.manual_seed(base.answers.seed)
    with torch.no_grad():
        return base.answers.subject.outputs.select(program(*args, **kwargs)).clone()


def _draw_other_values(base: Baseline) -> Call:
    return base.answers.subject.make_call(
        batch=base.batch, length=base.length, target_length=base.target_length, seed=base.answers.seed + 1
    )


def _report_refusal(error: Exception) -> Finding:
    text = str(error).strip()
    hint = "With torch operations, rewrite the code that the error names. Nothing to do if you do not export the model."
    if "data-dependent" in text:
        hint = (
            "Replace a branch on a tensor's values by `torch.where` or `torch.cond`. State the bounds of a size that "
            "comes from `.item()` or `nonzero()` with `torch._check`."
        )
    return Finding(
        f"{CODE}-002",
        Severity.INFO,
        f"The model cannot be exported{_find_line(text)}: {type(error).__name__}: {text.partition(chr(10))[0][:300]}",
        "",
        {"exception": type(error).__name__},
        hint,
    )


def _find_line(text: str) -> str:
    """Return the line of the model's code that torch's message names; empty where it names none."""
    found = _CALLED.findall(text) or _CAUSED.findall(text)
    named = [place for place in found if not _TORCH.search(place[0]) and place[2] != "_call_impl"]
    if not named:
        return ""
    file, line, function = named[-1]
    return f" ({file.rpartition('/')[2]}:{line}, in {function})"


def _report_change(change: float, tolerance: float, name: str) -> Finding:
    others = name != "change"
    return claim_error(
        f"{CODE}-001",
        "The exported program gives a different output"
        + (" for other values of the same shapes." if others else "."),
        "",
        {"relative_change": change, "tolerance": tolerance, "other_values": others},
        "Remove what export evaluates once and keeps as a constant: `.item()`, random numbers, counters, and Python "
        "branches.",
        rests_on=Basis.RUN,
    )


CHECK = Check(
    CODE, "export", 1, run, needs=("parameter values",), cost_steps=4.0, value=24, opt_in=True, native=True
)
