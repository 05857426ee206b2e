"""T1-MOVE: the whole model moves to another device and to another precision.

What it does: moves a copy to a simulated device, on which every tensor computes with a real one on the CPU, and checks
each operation of a forward pass for a tensor that stayed on the CPU. Then it converts copies to bfloat16 and float64
and runs them.

Why it matters: a mask in a plain attribute or a `torch.arange` without `device=` works on the CPU and raises on the
first GPU; a `torch.zeros` without `dtype=` does the same in half precision.

Evidence: the operation that mixes devices, the module it runs in, and the attribute or call that the tensor comes from.

Exemptions: what PyTorch allows across devices (tensors without axes, indices on the CPU, lengths of packed sequences,
explicit copies). Code of transformers, which treats `meta` specially in places, gives only an info. `.to()`, `_apply()`
and similar methods that the model overrides are called as they are. A precision that an operation does not support on
this machine is only measured. On a GPU the real device shows these errors, so the first part is left out.

Findings:
    T1-MOVE-001 error or warning or info: a tensor stays on the CPU when the model moves, and the forward pass mixes
        both devices (a warning if the code chooses the device itself, with a helper or an argument; an info in code of
        transformers).
    T1-MOVE-002 info: after a change of precision the forward pass mixes dtypes and raises; the model still works in its
        own precision.
    T1-MOVE-003 warning: the output is on the CPU even if the model is on a GPU.
    T1-MOVE-004 error: the forward pass converts a tensor to NumPy, which only works on the CPU.

Source: PyTorch's notes on device-agnostic code; nn.Module.to moves only parameters and buffers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.substitution import convert_call
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.library_class import is_library_class
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.hardcoded_device import chooses_device
from tierproof.model.observe.moved_tensor import ELSEWHERE, CallWatch, DeviceMix, DeviceWatch, MovedTensor
from tierproof.model.preserve.copy_model import copy_sharing_values
from tierproof.model.preserve.unregistered_items import find_hidden_items
from tierproof.model.sizes.wide_products import WideProducts

CODE = "T1-MOVE"
# bfloat16 halves a copy, float64 doubles it.
_PRECISIONS = {torch.bfloat16: 500_000_000, torch.float64: 20_000_000}
_MIXED_DTYPES = re.compile(
    r"same d?type|dtypes? match|expected scalar type|should be the same", re.IGNORECASE
)
_NUMPY = re.compile(r"numpy", re.IGNORECASE)
_SHOWN = 5


@dataclass(frozen=True)
class Journey:
    """A forward pass on the simulated device.

    Attributes:
        mixes: operations that a GPU would refuse, the first per stray tensor's origin.
        error: what was raised, empty where nothing was.
        where: the module that raised.
        answer: None where nothing came back.
    """

    mixes: tuple[DeviceMix, ...]
    error: str
    where: str
    answer: Tensor | None


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    base = find_baseline(context.subject, context.seed, batch=1)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    measured: dict[str, JsonValue] = {}
    try:
        copied = copy_sharing_values(context.subject.model)
    except Exception as error:  # noqa: BLE001 - T1-SAVE reports that it cannot be copied
        return CheckOutput(skipped=f"the model cannot be copied: {type(error).__name__} (see T1-SAVE)")
    findings = []
    if context.subject.device.type == "cpu":
        findings += _judge_journey(base, copied, measured)
    findings += _judge_precisions(base, measured)
    return CheckOutput(tuple(findings), measured)


def _judge_journey(base: Baseline, copied: nn.Module, measured: dict[str, JsonValue]) -> list[Finding]:
    names = _name_storages(copied)
    try:
        journey = travel(base, copied)
    except Exception as error:  # noqa: BLE001 - measured: such a model moves in ways that cannot be followed
        measured["moved"] = f"the model could not be moved: {type(error).__name__}: {str(error)[:200]}"
        return []
    measured["moved"] = journey.error or "the whole forward pass ran on the simulated device"
    findings = [_report_mix(base.answers.subject.model, mix, names) for mix in journey.mixes[:_SHOWN]]
    if journey.error and _NUMPY.search(journey.error):
        findings.append(
            claim_error(
                f"{CODE}-004",
                f"The forward pass converts a tensor to a NumPy array, which raises on a GPU: {journey.error}",
                journey.where,
                {"exception": journey.error},
                "Use torch operations instead of NumPy, or write `.detach().cpu().numpy()`.",
                rests_on=Basis.RUN,
            )
        )
    if journey.answer is not None and not journey.mixes and not isinstance(journey.answer, MovedTensor):
        findings.append(
            Finding(
                f"{CODE}-003",
                Severity.WARNING,
                "The output is on the CPU even if the model and its inputs are on a GPU, so computing the loss with "
                "targets on the GPU raises.",
                "",
                {"output": base.answers.subject.outputs.main or "output"},
                "Remove `.cpu()`, and create new tensors with `device=x.device`.",
            )
        )
    return findings


def travel(base: Baseline, copied: nn.Module) -> Journey:
    """Move the copy and the call elsewhere, and run."""
    copied.eval()
    answer, error, where = None, "", ""
    with torch.no_grad(), ExecutionTrace(copied) as trace:
        watch = DeviceWatch(trace)
        original = base.answers.subject.model
        with CallWatch(watch, (*original.parameters(), *original.buffers())), watch:
            copied.to(ELSEWHERE)
            call = base.call.map_tensors(lambda _name, tensor: tensor.to(ELSEWHERE))
            torch.manual_seed(base.answers.seed)
            watch.mixes.clear()
            try:
                answer = base.answers.subject.outputs.select(call.run(copied))
            except Exception as caught:  # noqa: BLE001 - told in the measurements, or a finding
                error, where = f"{type(caught).__name__}: {str(caught)[:200]}", trace.current
    first: dict[object, DeviceMix] = {}
    for mix in watch.mixes:
        first.setdefault(mix.origin or mix.stray.untyped_storage().data_ptr(), mix)
    return Journey(tuple(first.values()), error, where, answer)


def _name_storages(copied: nn.Module) -> dict[int, str]:
    """Where tensors in plain attributes lie, with how they are reached."""
    return {
        item.value.untyped_storage().data_ptr(): f"{item.owner}.{item.attribute}".lstrip(".")
        for item in find_hidden_items(copied)
        if isinstance(item.value, Tensor) and item.value.layout is torch.strided and not item.value.is_meta
    }


def _report_mix(model: nn.Module, mix: DeviceMix, names: dict[int, str]) -> Finding:
    attribute = names.get(mix.stray.untyped_storage().data_ptr(), "")
    what = (
        f"the attribute {attribute}"
        if attribute
        else (mix.origin or "a tensor that is stored outside the model")
    )
    chosen = mix.chosen or (bool(attribute) and chooses_device(model, attribute))
    severity = Severity.WARNING if chosen else Severity.ERROR
    # transformers asks for `meta` by name in places (LongT5), and goes another way there than on a GPU.
    severity = Severity.INFO if is_library_class(model, mix.path) else severity
    return claim_error(
        f"{CODE}-001",
        (
            "The code chooses the device of a tensor itself instead of taking it from the input"
            if chosen
            else "The forward pass raises on a GPU: a tensor stays on the CPU when the model moves"
        )
        + f" ({what}), and `{mix.operation}` combines it with a tensor on the model's device."
        + (" This raises when the two devices differ." if chosen else ""),
        mix.path,
        {"operation": mix.operation, "shape": list(mix.stray.shape), "stays": what, "chosen": chosen},
        "Register the tensor: `self.register_buffer(…, persistent=False)`."
        if attribute or not mix.origin
        else "Create the tensor on the device of the inputs: pass `device=x.device`.",
        rests_on=Basis.RUN,
        at_most=severity,
    )


def _judge_precisions(base: Baseline, measured: dict[str, JsonValue]) -> list[Finding]:
    model = base.answers.subject.model
    size = sum(parameter.numel() for parameter in model.parameters())
    for dtype, most in _PRECISIONS.items():
        name = str(dtype).removeprefix("torch.")
        if size > most:
            measured[name] = f"not tried: more than {most:,} parameters"
            continue
        error, where = _run_converted(base, dtype)
        measured[name] = error or "runs"
        if error and _MIXED_DTYPES.search(error):
            return [
                Finding(
                    f"{CODE}-002",
                    Severity.INFO,
                    f"After .to(torch.{name}) the forward pass mixes dtypes: {error}",
                    where,
                    {"dtype": name, "exception": error},
                    "Create new tensors with `dtype=x.dtype`, and cast back after computing in float32.",
                )
            ]
    return []


def _run_converted(base: Baseline, dtype: torch.dtype) -> tuple[str, str]:
    """What a copy in `dtype` raises, and in which module; two empty texts where it runs."""
    copied = copy_sharing_values(base.answers.subject.model)
    trace = ExecutionTrace(copied)
    try:
        copied.to(dtype).eval()
        torch.manual_seed(base.answers.seed)
        with torch.no_grad(), WideProducts(), trace:
            convert_call(base.call, dtype).run(copied)
    except Exception as error:  # noqa: BLE001 - the caller reports it or measures it
        return f"{type(error).__name__}: {str(error)[:200]}", trace.raised_in or ""
    return "", ""


CHECK = Check(
    CODE, "moving", 1, run, needs=("parameter values", "unquantised layers"), cost_steps=0.8, value=58
)
