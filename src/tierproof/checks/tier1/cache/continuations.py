"""Other ways to decode: after another sequence, without a mask, behind left padding, and in chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.cache.decoding import REFUSALS, Decoding, NoCacheError, redraw
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.call.forward_signature import read_signature
from tierproof.model.call.outputs import iterate_tensors
from tierproof.model.describe.basis import Basis

_CHUNK = 3
_HIDDEN = 2
CODE = "T1-CACHE"


@dataclass(frozen=True)
class Continuation:
    """One way to decode, and what it is when its answers differ from the full pass.

    Attributes:
        name: in the measurements.
        measure: the largest change; None where the way does not apply.
        finding: what is reported for a change that is too large.
    """

    name: str
    measure: Callable[[], float | None]
    finding: Callable[[float], Finding]


def judge_continuations(
    decoding: Decoding, tolerance: float, measured: dict[str, JsonValue]
) -> list[Finding]:
    """Try each way in turn; the first that differs is the finding, because the others follow from it."""
    for way in _list_ways(decoding):
        try:
            change = way.measure()
        except (*REFUSALS, NoCacheError) as error:
            measured[way.name] = f"raises {type(error).__name__}: {str(error)[:120]}"
            continue
        if change is None:
            continue
        measured[way.name] = change
        if change > tolerance:
            return [way.finding(change)]
    return []


@dataclass(frozen=True)
class _Report:
    """What is said of one way to decode that differs from the full pass."""

    number: str
    severity: Severity
    message: str
    hint: str


_REPORTS = {
    "first_pass_change": _Report(
        "004",
        Severity.ERROR,
        "The prefill (the first pass, which fills the cache) gives different outputs from the same pass without a "
        "cache.",
        "Apply the same causal mask with `use_cache=True` as with `use_cache=False`.",
    ),
    "change_after_another_sequence": _Report(
        "005",
        Severity.ERROR,
        "A prefill into a new cache depends on the sequence that was decoded before: the model keeps keys and values "
        "from one sequence to the next.",
        "Keep keys and values in the cache that is passed and returned, not on the module, or reset them "
        "when no cache is passed.",
    ),
    "change_without_mask": _Report(
        "006",
        Severity.ERROR,
        "Decoding with a cache and without a padding mask differs from the full forward pass; with a mask it "
        "agrees.",
        "Build the causal mask from the positions of cached and new tokens, with and without a padding mask. "
        "`is_causal=True` aligns the mask at the first key, so a single new token would see that key only.",
    ),
    "change_behind_left_padding": _Report(
        "007",
        Severity.ERROR,
        "With left padding, decoding with a cache differs from the full forward pass under the same mask.",
        "Apply the padding mask in every step, over cached and new positions, and count positions in the same way "
        "with and without a cache.",
    ),
    "chunk_change": _Report(
        "008",
        Severity.WARNING,
        f"With a filled cache, decoding {_CHUNK} tokens at once gives different outputs from decoding one at a time. "
        "This affects chunked prefill and speculative decoding.",
        "Let new token i see the cache and the new tokens up to i: `tril(diagonal=cached)`.",
    ),
    "changed_cache_entries": _Report(
        "009",
        Severity.WARNING,
        "The forward pass changes the list that the caller passed as the cache, so a second continuation from that "
        "cache (such as another beam) also contains the tokens of the first.",
        "Return a new list or tuple instead of extending the caller's, so that beams can share a prefix.",
    ),
}


def _list_ways(decoding: Decoding) -> tuple[Continuation, ...]:
    measures: dict[str, Callable[[Decoding], float | None]] = {
        "first_pass_change": _measure_first_pass,
        "change_after_another_sequence": _measure_after_another,
        "change_without_mask": _measure_without_mask,
        "change_behind_left_padding": _measure_left_padding,
        "chunk_change": _measure_chunk,
        "changed_cache_entries": _count_changed_entries,
    }
    return tuple(
        Continuation(name, partial(measure, decoding), partial(_make_finding, decoding, _REPORTS[name]))
        for name, measure in measures.items()
    )


def _make_finding(decoding: Decoding, report: _Report, change: float) -> Finding:
    return claim_error(
        f"{CODE}-{report.number}",
        report.message,
        "",
        {"cache": decoding.cache_name, "change": change},
        report.hint,
        rests_on=Basis.ROLES,
        at_most=report.severity,
    )


def _measure_first_pass(decoding: Decoding) -> float:
    answer, _ = decoding.run(0, decoding.length)
    return decoding.measure(0, decoding.length, answer)


def _measure_after_another(decoding: Decoding) -> float:
    """The first pass of another sequence after this one, and of this one after the other."""
    changes = []
    for sequence in (redraw(decoding), decoding):
        answer, _ = sequence.run(0, sequence.length)
        changes.append(sequence.measure(0, sequence.length, answer))
    return max(changes)


def _measure_without_mask(decoding: Decoding) -> float | None:
    name = decoding.padding
    if not name or name not in read_signature(decoding.base.answers.subject.model).optional:
        return None
    rest = {key: value for key, value in decoding.call.arguments.items() if key != name}
    plain = decoding.with_call(replace(decoding.call, arguments=rest))
    return max(plain.measure_steps(decoding.length - 2))


def _measure_left_padding(decoding: Decoding) -> float | None:
    name = decoding.padding
    if not name or decoding.length < _HIDDEN + 4:
        return None
    argument = decoding.base.answers.subject.inputs.argument(name)
    mask = decoding.call.tensors[name].clone()
    mask.narrow(decoding.axis, 0, _HIDDEN).fill_(0 if argument.role == "mask" else 1)
    padded = decoding.with_call(decoding.call.with_argument(name, mask))
    if not bool(padded.answer.isfinite().all()):
        return None
    return max(padded.measure_steps(decoding.length - 2))


def _measure_chunk(decoding: Decoding) -> float | None:
    start = decoding.length - _CHUNK
    if start < 1:
        return None
    answer, _ = decoding.run(start, decoding.length, decoding.fill(start))
    return decoding.measure(start, decoding.length, answer)


def _count_changed_entries(decoding: Decoding) -> float | None:
    """How many entries of a cache of plain containers one step replaces; a cache object is meant to be changed."""
    start = decoding.length - 1
    cache = decoding.fill(start)
    if not _is_plain(cache):
        return None
    before = [tensor for _, tensor in iterate_tensors(cache)]
    decoding.run(start, start + 1, cache)
    after = [tensor for _, tensor in iterate_tensors(cache)]
    return float(sum(a is not b for a, b in zip(before, after, strict=False)) + abs(len(before) - len(after)))


def _is_plain(value: Any) -> bool:
    if isinstance(value, torch.Tensor) or value is None or isinstance(value, int):
        return True
    if type(value) in (tuple, list):
        return all(_is_plain(item) for item in value)
    return type(value) is dict and all(_is_plain(item) for item in value.values())
