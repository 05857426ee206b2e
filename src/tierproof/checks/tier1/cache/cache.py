"""T1-CACHE: decoding step by step with a cache gives the same outputs as one full pass.

What it does: runs the first tokens with `use_cache=True`, then two more tokens one at a time with the returned cache,
and compares each output with that of the full sequence. If these agree, it decodes in other ways: the first pass alone,
after another sequence, without a padding mask, behind left padding, several tokens at once, and twice from one cache.

Why it matters: generation uses the cache, but training does not. Positions that start again at zero, or a mask of the
wrong length, only show as bad text.

Evidence: the largest change of a step's output relative to the standard deviation of the full output.

Exemptions: models that have neither the cache interface of transformers nor an argument such as `past` with the new
cache as the second of two outputs; models that are not causal (see T1-CAUSAL). Rounding may change which expert is
chosen, so expert models get ten times the tolerance. Models of transformers, which tests them itself, are not decoded
in the other ways. A cache that is an object of a class of its own may be changed in place.

Findings:
    T1-CACHE-001 error: decoding with a cache differs from the full forward pass.
    T1-CACHE-002 warning: in an encoder-decoder, filling the cache with several tokens at once differs; one at a time is
        right.
    T1-CACHE-003 error: the model raises when it receives the cache that it returned.
    T1-CACHE-004 error: the prefill (the pass that fills the cache) differs from the same pass without a cache.
    T1-CACHE-005 error: a new cache contains keys and values of the sequence that was decoded before.
    T1-CACHE-006 error: decoding without a padding mask differs, though with a mask it agrees.
    T1-CACHE-007 error: decoding with left padding differs from the full forward pass.
    T1-CACHE-008 warning: decoding several tokens at once with a filled cache differs from decoding one at a time.
    T1-CACHE-009 warning: the forward changes the cache that the caller passed.

Source: the property is exact for causal attention and for recurrent states; transformers tests it for its
own models.
"""

from __future__ import annotations

from contextlib import suppress

import torch
from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.cache.continuations import judge_continuations
from tierproof.checks.tier1.cache.decoding import (
    REFUSALS,
    STEPS,
    Decoding,
    NoCacheError,
    prepare_decoding,
)
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.core.standing import Fact, Standing
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.locate import locate_first_divergence
from tierproof.model.describe.basis import Basis
from tierproof.model.observe.execution_trace import ExecutionTrace

_EXPERT_FACTOR = 10.0
# At a module, what one step computes differs from the full pass by rounding alone.
_LOCAL_TOLERANCE = 1e-3
_CACHE = Fact(
    "cache",
    Standing.ASSUMED,
    "the argument that takes the cache was guessed from its name",
    "decode a few tokens yourself with and without the cache, and compare",
)


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    decoding = prepare_decoding(subject, context.seed)
    if isinstance(decoding, str):
        return CheckOutput(skipped=decoding)
    start = decoding.length - STEPS
    try:
        changes = decoding.measure_steps(start)
    except NoCacheError as error:
        return CheckOutput(skipped=str(error))
    except REFUSALS as error:
        return _judge_refusal(decoding, error)
    tolerance = decoding.base.tolerance * (_EXPERT_FACTOR if subject.traits.experts else 1.0)
    measured: dict[str, JsonValue] = {"change_per_step": list(changes), "tolerance": tolerance}
    if max(changes) <= tolerance:
        # transformers tests these ways for its own models, and changes its cache objects on purpose.
        library = is_transformers_model(subject.model)
        findings = [] if library else judge_continuations(decoding, tolerance, measured)
        return CheckOutput(tuple(findings), measured)
    where = _locate(decoding, start)
    # generate() starts a translation from one token, but a text from all of the prompt.
    if subject.traits.kind == "encoder-decoder" and max(decoding.measure_steps(1)) <= tolerance:
        return CheckOutput((_report_first_pass(where, max(changes), tolerance, start),), measured)
    return CheckOutput(
        (
            claim_error(
                "T1-CACHE-001",
                "Decoding with a cache differs from the full forward pass, so generation does not compute what was "
                f"trained{_place(where)}.",
                where,
                {"largest_change": max(changes), "tolerance": tolerance, "cached_positions": start},
                "Number new positions from the length of the cache, and make the mask cover cached and new positions.",
                rests_on=Basis.ROLES,
            ),
        ),
        measured,
    )


def _judge_refusal(decoding: Decoding, error: Exception) -> CheckOutput:
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
        {"cached_positions": decoding.length - STEPS, "new_positions": 1},
        "Read the length of the cache from its sequence axis, and make the mask and the positions cover cached and "
        "new tokens.",
        rests_on=(Basis.ROLES, _CACHE),
    )
    return CheckOutput((finding,), {"raised": said})


def _find_raising_module(decoding: Decoding) -> str:
    """The innermost module in which the step on the cache raises."""
    start = decoding.length - STEPS
    call = decoding.cut(start, start + 1, decoding.fill(start))
    with ExecutionTrace(decoding.base.answers.subject.model) as trace, suppress(*REFUSALS):
        decoding.base.answers.forward(call)
    return trace.raised_in or ""


def _report_first_pass(where: str, change: float, tolerance: float, start: int) -> Finding:
    return Finding(
        "T1-CACHE-002",
        Severity.WARNING,
        "The prefill (the first pass over several tokens) gives different outputs with `use_cache=True` than without "
        f"it{_place(where)}. Decoding one token at a time is correct.",
        where,
        {"largest_change": change, "tolerance": tolerance, "tokens_at_once": start},
        "Apply the causal mask in the prefill with `use_cache=True` as well, or feed prompts one token at a time.",
    )


def _locate(decoding: Decoding, start: int) -> str:
    """The innermost module whose newest position was given the same and answered otherwise."""
    full = decoding.cut(0, start + 1)
    cached = decoding.cut(start, start + 1, decoding.fill(start))

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
