"""Judge what was measured of the heads: which do nothing, which do the same, and which play a known role."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from statistics import median

from tierproof.analysis.attention.attention_figures import (
    HeadStatistics,
    ModelAttention,
    PatternStatistics,
)
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue

CODE = "T2-ATTENTION"
# Of the outputs' norm: rounding in float32, and what a head that does anything exceeds.
_NO_EFFECT, _SOME_EFFECT = 1e-7, 1e-5
# Of an output's norm: what rounding leaves of the difference of two equal heads.
_SAME_OUTPUT = 1e-5
# Total variation. Fresh models have some thousandths; where scores are so small that the weights are even, only
# rounding counts.
_SAME_WEIGHTS, _ROUNDING, _ALL_EVEN = 1e-4, 1e-7, 0.9999
_EVEN, _NOT_EVEN = 0.999, 0.9
# Weight: more than to all else together.
_MOST = 0.5
# A few keys are soon alike.
_FEW_KEYS, _SOME_KEYS = 4, 16
_SHOWN = 6


def judge_attention(measured: ModelAttention) -> tuple[Finding, ...]:
    """All findings on the heads of a model."""
    findings: list[Finding] = []
    even = _list_even_heads(measured)
    for pattern in measured.patterns:
        collapsed = _judge_collapse(pattern)
        findings += collapsed
        findings += _judge_effects(pattern)
        if not collapsed:
            findings += _judge_duplicates(pattern)
            findings += [_report_even(pattern, number) for at, number in even if at is pattern]
    findings += _tell_sinks(measured)
    findings += _tell_roles(measured)
    findings += _tell_unread(measured)
    return tuple(findings)


def _judge_effects(pattern: PatternStatistics) -> list[Finding]:
    effects = {n: head.effect for n, head in enumerate(pattern.heads) if head.effect is not None}
    if not effects:
        return []
    if max(effects.values()) <= _NO_EFFECT:
        return [
            Finding(
                f"{CODE}-008",
                Severity.INFO,
                f"No output depends on any of the {len(effects)} heads tried of this attention.",
                pattern.path,
                {"largest_effect": max(effects.values()), "heads_tried": len(effects)},
                "Usual where a layer starts at zero or is not read; else look for what drops its result.",
            )
        ]
    usual = median(effects.values())
    return [
        Finding(
            f"{CODE}-001",
            Severity.WARNING,
            f"No output depends on head {number}: the outputs stay the same without it.",
            pattern.path,
            {
                "head": number,
                "effect": effect,
                "median_effect": usual,
                "output_rms": pattern.heads[number].output_rms,
            },
            "Look for zeros in its part of the value or output projection, or prune the head.",
        )
        for number, effect in effects.items()
        if effect <= _NO_EFFECT and max(effects.values()) >= _SOME_EFFECT
    ]


def _judge_duplicates(pattern: PatternStatistics) -> list[Finding]:
    if pattern.keys < _FEW_KEYS:
        return []
    pairs = {
        (min(number, head.nearest), max(number, head.nearest)): head.nearest_difference
        for number, head in enumerate(pattern.heads)
        if head.nearest is not None
        and head.nearest_difference is not None
        and head.nearest_difference <= _SAME_OUTPUT
        and head.output_rms
    }
    return [
        Finding(
            f"{CODE}-002",
            Severity.WARNING,
            f"Heads {one} and {other} give the same output.",
            pattern.path,
            {"heads": [one, other], "relative_difference": apart, "agreement": pattern.agreement[one][other]},
            "Look for projections that were copied or tied; initialise the two heads differently, or prune one.",
        )
        for (one, other), apart in sorted(pairs.items())
    ]


def _judge_collapse(pattern: PatternStatistics) -> list[Finding]:
    changes = [head.query_change for head in pattern.heads if head.query_change is not None]
    if len(changes) < len(pattern.heads) or min(pattern.queries, pattern.keys) < _FEW_KEYS:
        return []
    even = all(head.relative_entropy >= _ALL_EVEN for head in pattern.heads)
    if max(changes) > (_ROUNDING if even else _SAME_WEIGHTS) or all(
        _rests_on_sink(head) for head in pattern.heads
    ):
        return []
    return [
        Finding(
            f"{CODE}-003",
            Severity.WARNING,
            "The weights of all heads are the same whatever the query: it is an average with fixed weights.",
            pattern.path,
            {
                "largest_query_change": max(changes),
                "heads": len(pattern.heads),
                "mean_relative_entropy": sum(head.relative_entropy for head in pattern.heads)
                / len(pattern.heads),
            },
            "Look for a query projection of zeros, equal queries, or scores that are lost before the softmax.",
        )
    ]


def _list_even_heads(measured: ModelAttention) -> list[tuple[PatternStatistics, int]]:
    """Heads that spread their weight evenly, in a model whose heads mostly do not."""
    heads = [
        (pattern, number, head)
        for pattern in measured.patterns
        for number, head in enumerate(pattern.heads)
        if pattern.keys >= _SOME_KEYS and pattern.queries >= _FEW_KEYS
    ]
    if not heads or median(head.relative_entropy for _, _, head in heads) >= _NOT_EVEN:
        return []
    return [(pattern, number) for pattern, number, head in heads if head.relative_entropy >= _EVEN]


def _report_even(pattern: PatternStatistics, number: int) -> Finding:
    head = pattern.heads[number]
    return Finding(
        f"{CODE}-004",
        Severity.WARNING,
        f"Head {number} spreads its weight evenly over all keys, although other heads of the model do not.",
        pattern.path,
        {"head": number, "relative_entropy": head.relative_entropy, "query_change": head.query_change},
        "Look for zeros in its part of the query or key projection; as an average it may still serve.",
    )


def _rests_on_sink(head: HeadStatistics) -> bool:
    return head.first >= _MOST or head.sink >= _MOST


def _tell_sinks(measured: ModelAttention) -> list[Finding]:
    wide = [pattern for pattern in measured.patterns if pattern.keys >= _SOME_KEYS]
    found = _list_heads(wide, _rests_on_sink)
    count = sum(len(pattern.heads) for pattern in wide)
    if not found:
        return []
    return [
        Finding(
            f"{CODE}-005",
            Severity.INFO,
            f"{len(found)} of {count} heads put more than half of their weight on the first position or on a learned "
            "sink, which is usual in trained models.",
            evidence={"heads": _show(found), "share": len(found) / count},
            hint="Keep the first token when you prune or window the keys.",
        )
    ]


def _tell_roles(measured: ModelAttention) -> list[Finding]:
    findings = []
    for role, words in _ROLES.items():
        found = _list_heads(measured.patterns, partial(_scores, role))
        if found:
            findings.append(
                Finding(
                    f"{CODE}-006",
                    Severity.INFO,
                    f"{_count(found)} more than half of the weight on {words}: {', '.join(_show(found))}.",
                    evidence={"role": role, "heads": _show(found)},
                    hint="`tierproof.attention` shows the figures of each head.",
                )
            )
    return findings


_ROLES = {
    "induction": "the token after the same token's first place (induction)",
    "duplicate": "the first place of the same token",
    "previous": "the position before",
}


def _scores(role: str, head: HeadStatistics) -> bool:
    return (getattr(head, role) or 0.0) >= _MOST


def _tell_unread(measured: ModelAttention) -> list[Finding]:
    if not measured.unread:
        return []
    shown: list[JsonValue] = list(measured.unread[:_SHOWN])
    more = len(measured.unread) - 1
    return [
        Finding(
            f"{CODE}-007",
            Severity.INFO,
            f"Not read as attention: {measured.unread[0]}{f', and {more} more' if more else ''}.",
            evidence={"unread": shown},
            hint="The other figures stand; these modules have no weights over keys to show.",
        )
    ]


def _list_heads(patterns: Iterable[PatternStatistics], test: Callable[[HeadStatistics], bool]) -> list[str]:
    """Names of the heads that a test holds for, as `path head 3`."""
    return [
        f"{pattern.path or 'the model'} head {number}"
        for pattern in patterns
        for number, head in enumerate(pattern.heads)
        if test(head)
    ]


def _show(heads: list[str]) -> list[str]:
    rest = len(heads) - _SHOWN
    return heads[:_SHOWN] + ([f"{rest} more"] if rest > 0 else [])


def _count(heads: list[str]) -> str:
    return "1 head puts" if len(heads) == 1 else f"{len(heads)} heads put"
