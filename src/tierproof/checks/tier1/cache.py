"""T1-CACHE: decoding with a cache gives what the full forward pass gives.

What it does: runs a sequence at once; then a prefix with the cache switched on, and the remaining tokens one
by one with what the cache returned; compares the logits at every step.

Why it matters: training uses the full pass and generation the cache. A position that is off by one, or a
cache that is cut or not extended, ruins generated text while the loss looks right.

Evidence: the largest difference at a step, relative to the spread of the logits.

Exemptions: models without a cache in their signature; bidirectional ones; experts get a wider tolerance
because rounding may send a token to another expert.

Source: exact for causal models; the interface is that of transformers (`use_cache`, `past_key_values`), which
hand-written models often follow.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call import Call
from tierproof.model.comparison import measure_change, measure_spread
from tierproof.model.inputs import Argument
from tierproof.model.locate import locate_first_divergence
from tierproof.model.perturb import find_followed_argument
from tierproof.model.steady_answer import Baseline, find_baseline
from tierproof.model.subject import Subject

_CACHE_NAMES = ("past_key_values", "cache_params", "past_kv", "past_kvs", "kv_cache", "layer_past", "past", "cache")
_RETURN_NAMES = (*_CACHE_NAMES, "present", "presents", "new_cache", "present_key_values")
_STEPS = 3
# Rounding may send a token to another expert; what remains when it does not is an order below this.
_EXPERT_FACTOR = 10


@dataclass(frozen=True)
class _Step:
    """One decoding step: where, how far off, and the call that made it."""

    begin: int
    end: int
    change: float
    call: Call


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    names = set(inspect.signature(subject.model.forward).parameters)
    cache_name = next((name for name in _CACHE_NAMES if name in names), "")
    reason = _find_exemption(subject, names, cache_name)
    followed = find_followed_argument(subject.inputs.arguments, subject.outputs)
    if reason or followed is None:
        return CheckOutput(skipped=reason or "no input position corresponds to an output position")
    base = find_baseline(subject, context.seed, batch=1)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    size = subject.outputs.axes[subject.outputs.length_axis]
    length = base.call.tensors[followed.name].shape[followed.shape.index(size)]
    if length <= _STEPS or base.answer.shape[subject.outputs.length_axis] != length:
        return CheckOutput(skipped="outputs and inputs differ in length")
    steps, trouble = _decode(base, followed, cache_name, length)
    if trouble:
        return CheckOutput(skipped=trouble)
    tolerance = base.tolerance * (_EXPERT_FACTOR if subject.traits.experts else 1)
    measured: dict[str, JsonValue] = {
        "prefix_length": length - _STEPS,
        "step_changes": [step.change for step in steps],
        "cache_argument": cache_name,
    }
    wrong = next((step for step in steps if step.change > tolerance), None)
    if wrong is None:
        return CheckOutput(measurements=measured)
    return CheckOutput((_report(base, wrong, length, tolerance),), measured)


def _find_exemption(subject: Subject, names: set[str], cache_name: str) -> str:
    traits = subject.traits
    if not cache_name or "use_cache" not in names or subject.inputs.style == "mapping":
        return "the forward pass takes no cache (use_cache with past_key_values or the like)"
    if traits.causal_declared is False or traits.causal_measured is False:
        return "the model is not causal, so a cache cannot stand for a full pass"
    return "" if subject.outputs.per_position else "the answer has no positions"


def _decode(base: Baseline, followed: Argument, cache_name: str, length: int) -> tuple[list[_Step], str]:
    """Decode the last tokens one by one; the steps, or the reason why it could not be done."""
    axis = base.answers.subject.outputs.length_axis
    spread = measure_spread(base.answer)
    start = length - _STEPS
    cache: Any = None
    steps: list[_Step] = []
    for begin, end in [(0, start), *((position, position + 1) for position in range(start, length))]:
        # A cache is extended in place: the copy is kept for the search of the guilty module.
        call = _cut(base, followed, begin, end, cache_name, copy.deepcopy(cache))
        try:
            output = base.answers.forward(_cut(base, followed, begin, end, cache_name, cache))
        except Exception as error:  # noqa: BLE001 - told in the check's reason
            return [], f"decoding with {cache_name} raised {type(error).__name__}: {str(error)[:200]}"
        answer = base.answers.subject.outputs.select(output)
        cache = _find_cache(output, base.answers.subject.outputs.main)
        if cache is None:
            return [], "the forward pass returned no cache with use_cache=True"
        if answer.dim() != base.answer.dim() or answer.shape[axis] not in (1, end - begin):
            return [], "the answer of a cached step has another shape"
        wanted = base.answer.narrow(axis, end - answer.shape[axis], answer.shape[axis])
        steps.append(_Step(begin, end, measure_change(wanted, answer, spread=spread), call))
    return steps, ""


def _cut(base: Baseline, followed: Argument, begin: int, end: int, cache_name: str, cache: Any) -> Call:
    """The call for positions [begin, end) on top of the cache; an optional padding mask is left out."""
    subject = base.answers.subject
    size = subject.outputs.axes[subject.outputs.length_axis]
    values: dict[str, Any] = {}
    for name, value in base.call.arguments.items():
        argument = subject.inputs.argument(name)
        if size in argument.shape and isinstance(value, Tensor):
            if argument.role in ("mask", "hide_mask", "targets") and name != followed.name:
                continue
            value = value.narrow(argument.shape.index(size), begin, end - begin)
        values[name] = value
    constants = {**base.call.constants, "use_cache": True}
    if cache is not None:
        constants[cache_name] = cache
    return Call(values, "keyword", constants)


def _find_cache(output: Any, answer_path: str) -> Any:
    """What the forward pass returned beside the answer: by name, else the last entry of a tuple."""
    for name in _RETURN_NAMES:
        found = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
        if found is not None:
            return found
    if isinstance(output, tuple) and not hasattr(output, "_fields") and len(output) > 1:
        rest = [item for index, item in enumerate(output) if not answer_path.startswith(str(index))]
        return next((item for item in reversed(rest) if item is not None), None)
    return None


def _report(base: Baseline, step: _Step, length: int, tolerance: float) -> Finding:
    def differ(full: Tensor, cached: Tensor) -> bool:
        if full.dim() != cached.dim():
            return False
        for axis, (size, other) in enumerate(zip(full.shape, cached.shape, strict=True)):
            if size == length and other == step.end - step.begin:
                full = full.narrow(axis, step.begin, other)
        return full.shape == cached.shape and measure_change(full, cached) > tolerance / 2

    subject = base.answers.subject
    where = locate_first_divergence(
        subject.model.eval(), base.call, step.call, differ, seed=base.answers.seed
    )
    prefill = step.begin == 0
    what = "the prefix, with the cache switched on," if prefill else f"position {step.begin}, decoded with the cache,"
    return Finding(
        "T1-CACHE-001",
        Severity.ERROR,
        f"Cached decoding differs from the full forward pass: the answer at {what} is off by {step.change:.2g} of "
        "its spread.",
        where,
        {"relative_change": step.change, "tolerance": tolerance, "position": step.begin, "length": length},
        "Count the positions of new tokens from the length of the cache, and attend to the cached keys and the "
        "new one.",
    )


CHECK = Check("T1-CACHE", "cached decoding", 1, run)
