"""T1-SDPA: attention gives the same output in every implementation.

What it does: switches a copy of a transformers model from its attention implementation to the other one (eager to
SDPA, SDPA to eager), with and without padding; switches off the fused path of torch.nn.TransformerEncoder and
MultiheadAttention; restricts `scaled_dot_product_attention` to its plain backend. After each step it compares the
outputs.

Why it matters: device, dtype and version decide which implementation runs. A model that is right in only one of them
may be trained with one and served with another.

Evidence: the largest change of the output relative to its standard deviation, and the module in which it begins.

Exemptions: models whose attention cannot be exchanged, and implementations that transformers does not offer for a
class. Rounding may change which expert is chosen, so expert models get ten times the tolerance.

Findings:
    T1-SDPA-001 error: eager attention and SDPA give different outputs.
    T1-SDPA-002 error: the fused path of torch.nn's encoder gives a different output from its plain path.
    T1-SDPA-003 warning: the backends of scaled_dot_product_attention give different outputs.

Source: all of them compute softmax(q·kᵀ/√d + mask)·v (Vaswani et al. 2017; PyTorch's documentation of
scaled_dot_product_attention).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.model_pair import answer_with, locate_parting
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.preserve.copy_model import copy_sharing_values

CODE = "T1-SDPA"
_EXPERT_FACTOR = 10.0
_HIDDEN = 2
_FUSED = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
_OTHER = {"sdpa": "eager", "eager": "sdpa"}


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    base = find_baseline(subject, context.seed, batch=2)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    tolerance = base.tolerance * (_EXPERT_FACTOR if subject.traits.experts else 1.0)
    measured: dict[str, JsonValue] = {}
    findings = []
    if is_transformers_model(subject.model):
        findings += _judge_implementation(base, tolerance, measured)
    if any(isinstance(module, _FUSED) for module in subject.model.modules()):
        findings += _judge_fast_path(base, tolerance, measured)
    if calls := _count_fused_calls(base):
        measured["fused_calls"] = calls
        findings += _judge_backends(base, tolerance, measured)
    if not any(name.endswith("_change") for name in measured):
        reason = "the attention of this model has no second implementation or backend to compare with"
        return CheckOutput(measurements=measured, skipped=reason)
    return CheckOutput(tuple(findings), measured)


def _judge_implementation(base: Baseline, tolerance: float, measured: dict[str, JsonValue]) -> list[Finding]:
    """Compare the model with a copy of it that computes attention in the other way."""
    model: Any = base.answers.subject.model
    present = getattr(model.config, "_attn_implementation", None)
    wanted = _OTHER.get(str(present))
    if wanted is None or not callable(getattr(model, "set_attn_implementation", None)):
        return []
    try:
        other: Any = copy_sharing_values(model)
        other.set_attn_implementation(wanted)
    except Exception as error:  # noqa: BLE001 - transformers says in its own words what a class does not offer
        measured["other_implementation"] = f"the model does not support {wanted}: {type(error).__name__}"
        return []
    if getattr(other.config, "_attn_implementation", None) != wanted:
        measured["other_implementation"] = f"the model does not offer {wanted}"
        return []
    padded = _pad(base)
    try:
        change = measure_change(base.answer, answer_with(base, other))
        if padded is not None:
            padded_change = _compare_shown(padded, answer_with(padded, other))
            measured["padded_implementation_change"] = padded_change
            change = max(change, padded_change)
    except Exception as error:  # noqa: BLE001 - a class that has one implementation only says so by raising
        measured["other_implementation"] = f"{wanted} raises {type(error).__name__}: {str(error)[:200]}"
        return []
    measured["other_implementation"] = wanted
    measured["implementation_change"] = change
    if change <= tolerance:
        return []
    where = locate_parting(base, model, other)
    if not where and padded is not None:
        where = locate_parting(padded, model, other)
    return [
        claim_error(
            f"{CODE}-001",
            f"The attention implementations `{present}` and `{wanted}` give different outputs.",
            where,
            {"relative_change": change, "tolerance": tolerance, "from": str(present), "to": wanted},
            "Compare the scale, mask and dropout of both, and build a mask in the format that each of them expects.",
            rests_on=Basis.ROLES,
        )
    ]


def _pad(base: Baseline) -> Baseline | None:
    """The same call with the last positions of the first row hidden; None where the model takes no mask."""
    subject = base.answers.subject
    mask = base.call.tensors.get(subject.inputs.padding)
    if mask is None or mask.dim() != 2 or mask.shape[1] <= _HIDDEN or subject.inputs.batch_axis != 0:
        return None
    hidden = mask.clone()
    last = hidden[0, -_HIDDEN:]
    last.copy_(~last if mask.dtype == torch.bool else 1 - last)
    call = base.call.with_argument(subject.inputs.padding, hidden)
    answer = base.answers.attempt(call)
    return None if answer is None else replace(base, call=call, answer=answer)


def _compare_shown(padded: Baseline, answer: Tensor) -> float:
    """The change of the answers, those at hidden positions aside: nothing is promised there."""
    outputs = padded.answers.subject.outputs
    shown, other = padded.answer, answer
    if outputs.axes[:2] == ("batch", "length"):
        shown, other = shown.clone(), other.clone()
        for tensor in (shown, other):
            tensor[0, -_HIDDEN:] = 0
    return measure_change(shown, other)


def _judge_fast_path(base: Baseline, tolerance: float, measured: dict[str, JsonValue]) -> list[Finding]:
    """Compare the fused path of torch.nn's encoder with its plain one, which is used while training."""
    with _without_fast_path():
        plain = base.answers.attempt(base.call)
    if plain is None:
        return []
    change = measure_change(base.answer, plain)
    measured["fast_path_change"] = change
    if change <= tolerance:
        return []
    model = base.answers.subject.model
    return [
        claim_error(
            f"{CODE}-002",
            "The fused path of torch.nn.TransformerEncoder or MultiheadAttention, which runs in evaluation mode, "
            "gives a different output from the plain path, which runs in training.",
            _find_fused_module(base, tolerance) or _first_fused(model),
            {"relative_change": change, "tolerance": tolerance},
            "Pass the activation to the layer's constructor, because the fused path only sees what was set there. If "
            "a subclass changes the computation, call `torch.backends.mha.set_fastpath_enabled(False)`.",
            rests_on=Basis.ROLES,
        )
    ]


@contextmanager
def _without_fast_path() -> Iterator[None]:
    present = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(present)


def _first_fused(model: nn.Module) -> str:
    return next((path for path, module in model.named_modules() if isinstance(module, _FUSED)), "")


def _find_fused_module(base: Baseline, tolerance: float) -> str:
    """The first fused layer whose own paths part on random input; hooks would switch the fused path off."""
    for path, module in base.answers.subject.model.named_modules():
        if not isinstance(module, nn.TransformerEncoderLayer):
            continue
        weight = module.linear1.weight
        generator = torch.Generator().manual_seed(base.answers.seed)
        given = torch.randn(2, 5, weight.shape[1], generator=generator).to(weight)
        with torch.no_grad():
            fused = module(given)
            with _without_fast_path():
                plain = module(given)
        if measure_change(plain, fused) > tolerance:
            return str(path)
    return ""


class _FusedCalls(TorchFunctionMode):
    """Count the calls of `scaled_dot_product_attention`."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.count += func is F.scaled_dot_product_attention
        return func(*args, **(kwargs or {}))


def _count_fused_calls(base: Baseline) -> int:
    calls = _FusedCalls()
    with calls:
        base.answers(base.call)
    return calls.count


def _judge_backends(base: Baseline, tolerance: float, measured: dict[str, JsonValue]) -> list[Finding]:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel(SDPBackend.MATH):
        plain = base.answers.attempt(base.call)
        if plain is None:
            return []
    change = measure_change(base.answer, plain)
    measured["backend_change"] = change
    if change <= tolerance:
        return []
    return [
        Finding(
            f"{CODE}-003",
            Severity.WARNING,
            "The math backend of `scaled_dot_product_attention` gives a different output from the backend that "
            "PyTorch chooses for this model.",
            "",
            {"relative_change": change, "tolerance": tolerance},
            "Give every query at least one visible key, use a mask that is boolean or has the dtype of the scores, "
            "and remove code that depends on which backend is enabled.",
        )
    ]


CHECK = Check(
    CODE,
    "fused attention",
    1,
    run,
    needs=("parameter values", "unquantised layers"),
    cost_steps=0.5,
    value=60,
)
