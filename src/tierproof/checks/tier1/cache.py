"""T1-CACHE: decoding step by step with a cache gives the same outputs as one full pass.

What it does: runs the first tokens with `use_cache=True`, then two more tokens one at a time with the returned cache,
and compares each output with that of the full sequence.

Why it matters: generation uses the cache, but training does not. Positions that start again at zero, or a mask of the
wrong length, only show as bad text.

Evidence: the largest change of a step's output relative to the standard deviation of the full output.

Exemptions: models that have neither the cache interface of transformers nor an argument such as `past` with the new
cache as the second of two outputs; models that are not causal (see T1-CAUSAL). Rounding may change which expert is
chosen, so expert models get ten times the tolerance.

Findings:
    T1-CACHE-001 error: decoding with a cache differs from the full forward pass.
    T1-CACHE-002 warning: in an encoder-decoder, filling the cache with several tokens at once differs; one at a time is
        right.
    T1-CACHE-003 error: the model raises when it receives the cache that it returned.

Source: the property is exact for causal attention and for recurrent states; transformers tests it for its
own models.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.core.standing import Fact, Standing
from tierproof.model.call.call import Call
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.inputs import Argument
from tierproof.model.call.perturb import find_followed_argument
from tierproof.model.call.transformers_inputs import is_transformers_model
from tierproof.model.compare.comparison import measure_change, measure_spread
from tierproof.model.compare.locate import locate_first_divergence
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.subject import Subject
from tierproof.model.observe.execution_trace import ExecutionTrace

_STEPS = 2
_EXPERT_FACTOR = 10.0
_REFUSALS = (RuntimeError, TypeError, ValueError, IndexError, KeyError, AttributeError, AssertionError)
# At a module, what one step computes differs from the full pass by rounding alone.
_LOCAL_TOLERANCE = 1e-3
# transformers 5.24 calls it `cache`, whatever it holds.
_CACHE_NAMES = ("past_key_values", "cache", "cache_params", "state")
# What models written by hand call it, which return it always, as the second of two.
_PLAIN_NAMES = (
    "past_key_values",
    "past_key_value",
    "past_kv",
    "past_kvs",
    "past",
    "layer_past",
    "kv_cache",
    "caches",
)


@dataclass(frozen=True)
class _Decoding:
    """How the model is decoded: the followed argument, its axis, the name of its cache, and whether it is asked for."""

    base: Baseline
    followed: Argument
    axis: int
    cache_name: str
    has_switch: bool

    @property
    def length(self) -> int:
        return self.base.call.tensors[self.followed.name].shape[self.axis]

    def cut(self, start: int, stop: int, cache: Any = None) -> Call:
        """The call of positions [start, stop) on a cache; a mask keeps all positions up to `stop`."""
        call = self.base.call
        tokens = call.tensors[self.followed.name].narrow(self.axis, start, stop - start)
        changed = call.with_argument(self.followed.name, tokens)
        padding = self.base.answers.subject.inputs.padding
        if cache is not None and self._is_recurrent:
            # A recurrent state has no positions for a mask to cover; transformers drops it here too.
            rest = {name: value for name, value in changed.arguments.items() if name != padding}
            changed = replace(changed, arguments=rest)
        elif padding and self._follows(padding):
            changed = changed.with_argument(padding, call.tensors[padding].narrow(self.axis, 0, stop))
        constants = dict(call.constants)
        if self.has_switch:
            constants["use_cache"] = True
        if cache is not None:
            constants[self.cache_name] = cache
        return replace(changed, constants=constants)

    @property
    def _is_recurrent(self) -> bool:
        if self.cache_name == "cache":
            return self.base.answers.subject.traits.recurrent
        return self.cache_name in ("cache_params", "state")

    def _follows(self, name: str) -> bool:
        size = self.followed.shape[self.axis]
        return size in self.base.answers.subject.inputs.argument(name).shape


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    decoding = _prepare(subject, context.seed)
    if isinstance(decoding, str):
        return CheckOutput(skipped=decoding)
    start = decoding.length - _STEPS
    try:
        changes = _measure_steps(decoding, start)
    except _NoCacheError as error:
        return CheckOutput(skipped=str(error))
    except _REFUSALS as error:
        return _judge_refusal(decoding, error)
    tolerance = decoding.base.tolerance * (_EXPERT_FACTOR if subject.traits.experts else 1.0)
    measured: dict[str, JsonValue] = {"change_per_step": list(changes), "tolerance": tolerance}
    if max(changes) <= tolerance:
        return CheckOutput(measurements=measured)
    where = _locate(decoding, start)
    # generate() starts a translation from one token, but a text from all of the prompt.
    if subject.traits.kind == "encoder-decoder" and max(_measure_steps(decoding, 1)) <= tolerance:
        return CheckOutput((_report_first_pass(where, max(changes), tolerance, start),), measured)
    return CheckOutput(
        (
            claim_error(
                "T1-CACHE-001",
                "Decoding with a cache differs from the full forward pass, so generated text will not match what was "
                f"trained{_place(where)}.",
                where,
                {"largest_change": max(changes), "tolerance": tolerance, "cached_positions": start},
                "Start positions at the length of the cache, and make the mask cover cached and new positions.",
                rests_on=Basis.ROLES,
            ),
        ),
        measured,
    )


def _judge_refusal(decoding: _Decoding, error: Exception) -> CheckOutput:
    """Judge a model that raises on the cache it returned; transformers' own models need more than is passed here."""
    said = f"cached decoding raised {type(error).__name__}: {error}"
    # Without a switch it was guessed what of the output is the cache.
    if is_transformers_model(decoding.base.answers.subject.model) or not decoding.has_switch:
        return CheckOutput(skipped=said)
    finding = claim_error(
        "T1-CACHE-003",
        f"The model raises when it continues from the cache that it returned: {type(error).__name__}: "
        f"{str(error)[:300]}",
        _find_raising_module(decoding),
        {"cached_positions": decoding.length - _STEPS, "new_positions": 1},
        "Read the length of the cache from its sequence axis, and make mask and positions cover cached and new tokens.",
        rests_on=(
            Basis.ROLES,
            Fact(
                "cache",
                Standing.ASSUMED,
                "the argument takes what the model returned, by their names",
                "decode with the cache yourself",
            ),
        ),
    )
    return CheckOutput((finding,), {"raised": said})


def _find_raising_module(decoding: _Decoding) -> str:
    """The innermost module in which the step on the cache raises."""
    start = decoding.length - _STEPS
    call = decoding.cut(start, start + 1, _fill_cache(decoding, start))
    with ExecutionTrace(decoding.base.answers.subject.model) as trace, suppress(*_REFUSALS):
        decoding.base.answers.forward(call)
    return trace.raised_in or ""


def _report_first_pass(where: str, change: float, tolerance: float, start: int) -> Finding:
    return Finding(
        "T1-CACHE-002",
        Severity.WARNING,
        f"A first pass over several tokens with `use_cache=True` differs from one without{_place(where)}. Decoding "
        "one token at a time is right.",
        where,
        {"largest_change": change, "tolerance": tolerance, "tokens_at_once": start},
        "Apply the causal mask while the cache is filled too, or feed prefixes one token at a time.",
    )


class _NoCacheError(Exception):
    """The model returned no cache."""


def _prepare(subject: Subject, seed: int) -> _Decoding | str:
    signature = read_signature(subject.model)
    has_switch = "use_cache" in signature
    cache_name = next(
        (name for name in (_CACHE_NAMES if has_switch else _PLAIN_NAMES) if name in signature), ""
    )
    if not cache_name:
        return "the model takes no cache"
    if subject.traits.causal_measured is False:
        return "outputs depend on later inputs, so no cache can be right (see T1-CAUSAL)"
    followed = find_followed_argument(subject.inputs.arguments, subject.outputs)
    if followed is None or followed.role != "tokens":
        return "no token input has positions that match the output positions"
    base = find_baseline(subject, seed, batch=1)
    if isinstance(base, str):
        return base
    axis = followed.shape.index(subject.outputs.axes[subject.outputs.length_axis])
    decoding = _Decoding(base, followed, axis, cache_name, has_switch)
    if decoding.length < _STEPS + 2:
        return "the model takes only sequences that are too short to decode in steps"
    return decoding


def _measure_steps(decoding: _Decoding, start: int) -> list[float]:
    """The relative change of each answer decoded after the first `start` positions."""
    answers, axis = decoding.base.answers, decoding.base.answers.subject.outputs.length_axis
    full = decoding.base.answer
    spread = measure_spread(full)
    cache = _fill_cache(decoding, start)
    changes = []
    for position in range(start, decoding.length):
        output = answers.forward(decoding.cut(position, position + 1, cache))
        step = answers.subject.outputs.select(output).select(axis, -1)
        changes.append(measure_change(full.select(axis, position), step, spread=spread))
        cache = _take_cache(output, decoding.cache_name)
    return changes


def _fill_cache(decoding: _Decoding, stop: int) -> Any:
    return _take_cache(decoding.base.answers.forward(decoding.cut(0, stop)), decoding.cache_name)


def _take_cache(output: Any, name: str) -> Any:
    cache = output.get(name) if isinstance(output, Mapping) else getattr(output, name, None)
    if (
        cache is None
        and type(output) is tuple
        and len(output) == 2
        and isinstance(output[1], tuple | list | Mapping)
    ):
        cache = output[1]
    if cache is None:
        raise _NoCacheError("the model returned no cache")
    return cache


def _locate(decoding: _Decoding, start: int) -> str:
    """The innermost module whose newest position was given the same and answered otherwise."""
    full = decoding.cut(0, start + 1)
    cached = decoding.cut(start, start + 1, _fill_cache(decoding, start))

    def violates(a: Tensor, b: Tensor) -> bool:
        newest = _align_newest(a, b, start + 1)
        return newest is not None and measure_change(*newest) > _LOCAL_TOLERANCE

    return locate_first_divergence(
        decoding.base.answers.subject.model, full, cached, violates, seed=decoding.base.answers.seed
    )


def _align_newest(full: Tensor, step: Tensor, length: int) -> tuple[Tensor, Tensor] | None:
    """The last of `length` positions of the full pass beside the single one of the step."""
    if full.dim() != step.dim():
        return None
    for axis, (size, other) in enumerate(zip(full.shape, step.shape, strict=True)):
        if size == length and other == 1:
            newest = full.narrow(axis, length - 1, 1)
            return (newest, step) if newest.shape == step.shape else None
    same = full.shape == step.shape and full.dtype != torch.bool
    return (full, step) if same else None


def _place(where: str) -> str:
    return f"; the first difference is in `{where}`" if where else ""


CHECK = Check(
    "T1-CACHE",
    "cached decoding",
    1,
    run,
    needs=("parameter values", "unquantised layers"),
    cost_steps=0.3,
    value=72,
)
