"""T1-ATTN: attention weights sum to one over the keys, and scores are scaled as published.

What it does: follows queries, keys, scores and weights through one forward pass. It measures the factor between the
product of queries and keys and the softmax, the sums of the weights where they mix the values, and whether queries
equal keys.

Why it matters: a softmax over the wrong axis still trains, only badly. A missing or doubled 1/√d saturates or flattens
the softmax. One projection for both queries and keys makes attention symmetric.

Evidence: scale · √width (usually 1), and the largest |sum − 1| over keys and over queries.

Exemptions: modules of the transformers library choose their scale by design (T5, GPT-Neo: none; muP: 1/width; GPT-OSS:
sinks) and give only an info. Learned factors, normalised queries and operations that cannot be followed are not judged.
The inside of `nn.MultiheadAttention`, of compiled code and of external kernels is not visible.

Findings:
    T1-ATTN-001 error: the softmax runs over the queries instead of the keys.
    T1-ATTN-002 warning or info: the weights do not sum to one over the keys (an info inside transformers, which has
        sinks).
    T1-ATTN-003 warning or info: the factor 1/√width is missing (an info where the keys are the values, as in Luong's
        attention).
    T1-ATTN-004 warning or info: the factor 1/√width is applied twice.
    T1-ATTN-005 warning or info: queries and keys are the same tensor.
    T1-ATTN-006 warning or info: scores are scaled by another constant than 1/√width.
    T1-ATTN-007 warning: attention of a fresh model is saturated.
    T1-ATTN-008 warning: the product of queries and keys exceeds float16's range before it is scaled.
    T1-ATTN-009 warning: weights for a sum over the positions sum to one over another axis.

Source: Vaswani et al. 2017, section 3.2.1; Yang et al. 2022 (muP) for 1/width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.core.finding import Finding, Severity
from tierproof.core.json_value import JsonValue
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis
from tierproof.model.describe.library_class import is_library_class
from tierproof.model.observe.attention_capture import AttentionCapture, AttentionMixing, AttentionScores
from tierproof.model.observe.execution_trace import ExecutionTrace
from tierproof.model.observe.pooling_capture import PoolingCapture, WeightedSum
from tierproof.model.observe.weight_statistics import looks_trained
from tierproof.model.sizes.value_range import FLOAT16_MAX

# A factor is a constant of the program: only its rounding separates it from the intended one.
_SCALE_TOLERANCE = 0.01
# Sums of up to a few hundred fp32 or bf16 weights.
_SUM_TOLERANCE = 2e-2
# At width 1 and 2 the factors in question are too near to each other to mean anything.
_LEAST_WIDTH = 4
# A fresh attention gives its favourite key a few times its share; over eleven keys that is below a half.
_SATURATED = 0.9


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    base = find_baseline(subject, context.seed, batch=2)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    capture, pooling = _capture(base)
    opaque = sum(isinstance(module, nn.MultiheadAttention) for module in subject.model.modules())
    measured: dict[str, JsonValue] = {
        "attention_calls": len(capture.scores),
        "opaque_modules": opaque,
        "attention": [
            {"where": s.path, "width": s.width, "relative_scale": s.relative_scale, "fused": s.fused}
            for s in capture.scores[:100]
        ],
    }
    pooled = _judge_pooling(base, pooling.sums)
    if not capture.scores and not pooled:
        reason = (
            "all attention is in nn.MultiheadAttention, which does not show its scores"
            if opaque
            else "no attention was recognised in the forward pass"
        )
        return CheckOutput(measurements=measured, skipped=reason)
    findings = [
        *_judge_mixings(subject.model, capture.mixings),
        *_judge_scores(subject.model, capture.scores),
        *_judge_products(capture.scores),
    ]
    if not findings:
        findings += pooled or _judge_saturation(subject.model, capture.mixings)
    return CheckOutput(tuple(findings), measured)


def _capture(base: Baseline) -> tuple[AttentionCapture, PoolingCapture]:
    with ExecutionTrace(base.answers.subject.model) as trace:
        capture, pooling = AttentionCapture(trace), PoolingCapture(trace)
        with capture, pooling:
            base.answers.forward(base.call)
    return capture, pooling


def _judge_pooling(base: Baseline, sums: Sequence[WeightedSum]) -> list[Finding]:
    """Judge weights that sum over the positions, and were normalised over another axis of the values.

    Weights that are normalised over an axis of their own assign each position to a slot, which is another thing.
    """
    inputs = base.answers.subject.inputs
    if not inputs.has_length:
        return []
    length = base.call.tensors[inputs.primary].shape[inputs.length_axis]
    wrong = [
        s
        for s in sums
        if s.terms == length and s.sum_error > _SUM_TOLERANCE and s.shared_error <= _SUM_TOLERANCE / 10
    ]
    if not wrong or length < _LEAST_WIDTH:
        return []
    first = wrong[0]
    return [
        Finding(
            "T1-ATTN-009",
            Severity.WARNING,
            f"Weights for a sum over {length} positions do not sum to one over the positions, but over another axis, "
            f"such as the heads{_count(wrong)}: the sum grows with the length.",
            first.path,
            {"sum_error_over_positions": first.sum_error, "sum_error_over_other_axis": first.shared_error},
            "Take the softmax of these weights over the axis of the positions.",
        )
    ]


def _judge_mixings(model: nn.Module, mixings: Sequence[AttentionMixing]) -> list[Finding]:
    wrong = [m for m in mixings if m.key_sum_error > _SUM_TOLERANCE and m.keys > 1]
    over_queries = [m for m in wrong if m.query_sum_error <= _SUM_TOLERANCE and m.queries > 1]
    others = [m for m in wrong if m not in over_queries]
    findings = []
    if over_queries:
        first = over_queries[0]
        findings.append(
            claim_error(
                "T1-ATTN-001",
                "The attention softmax runs over the wrong axis: the attention weights sum to one over the queries, "
                f"not over the keys{_count(over_queries)}.",
                first.path,
                _describe(first),
                "Take the softmax of `scores = q @ k.transpose(-2, -1)` over the last axis: `softmax(dim=-1)`.",
                rests_on=Basis.ROLES,
            )
        )
    if others:
        first = others[0]
        library = is_library_class(model, first.path)
        findings.append(
            Finding(
                "T1-ATTN-002",
                Severity.INFO if library else Severity.WARNING,
                f"The attention weights do not sum to one over the keys{_count(others)}: something changes them after "
                "the softmax.",
                first.path,
                _describe(first),
                "Mask scores with −inf before the softmax; do not multiply the weights by a mask after it. Nothing to "
                "do for attention sinks, where a part of the weight belongs to no key on purpose.",
            )
        )
    return findings


def _judge_saturation(model: nn.Module, mixings: Sequence[AttentionMixing]) -> list[Finding]:
    """Judge a fresh model whose attention looks at one key only, so that no gradient passes the softmax."""
    shares = [m for m in mixings if m.largest_share is not None]
    saturated = [m for m in shares if m.largest_share is not None and m.largest_share > _SATURATED]
    if not saturated or 2 * len(saturated) <= len(shares) or looks_trained(model):
        return []
    first = saturated[0]
    return [
        Finding(
            "T1-ATTN-007",
            Severity.WARNING,
            f"Attention is saturated before training{_count(saturated)}: each query puts {first.largest_share:.0%} of "
            "its weight on one key, so hardly any gradient passes the softmax.",
            first.path,
            {"largest_share": first.largest_share, "keys": first.keys},
            "Initialise the projections of queries and keys with smaller weights, and scale their product by 1/√width.",
        )
    ]


def _judge_products(scores: Sequence[AttentionScores]) -> list[Finding]:
    """Judge products that only the scale behind them brings into float16's range; before them it costs nothing."""
    beyond = [
        s
        for s in scores
        if s.later_scale is not None
        and s.largest_product > FLOAT16_MAX
        and s.largest_product * abs(s.later_scale) <= FLOAT16_MAX
    ]
    if not beyond:
        return []
    first = max(beyond, key=lambda item: item.largest_product)
    return [
        Finding(
            "T1-ATTN-008",
            Severity.WARNING,
            f"The product of queries and keys reaches {first.largest_product:.3g} before it is scaled{_count(beyond)}: "
            f"in float16, values above {FLOAT16_MAX:,.0f} become infinite, and the softmax returns NaN.",
            beyond[0].path,
            {"largest_product": first.largest_product, "later_scale": first.later_scale},
            "Scale the queries before the product: `(q * scale) @ k.transpose(-2, -1)`.",
        )
    ]


def _describe(mixing: AttentionMixing) -> dict[str, JsonValue]:
    return {
        "key_sum_error": mixing.key_sum_error,
        "query_sum_error": mixing.query_sum_error,
        "queries": mixing.queries,
        "keys": mixing.keys,
    }


def _judge_scores(model: nn.Module, scores: Sequence[AttentionScores]) -> list[Finding]:
    wide = [s for s in scores if s.width >= _LEAST_WIDTH and s.relative_scale is not None]
    findings = []
    missing = [s for s in wide if _is_near(s, math.sqrt(s.width))]
    if missing:
        findings.append(
            _report_scale(
                model,
                missing,
                "T1-ATTN-003",
                "The scores are not scaled before the softmax: the factor 1/√width is missing",
                "Divide the scores by `math.sqrt(head_dim)`. Without it, the softmax saturates as heads get wider.",
            )
        )
    squared = [s for s in wide if _is_near(s, 1 / math.sqrt(s.width))]
    if squared:
        findings.append(
            _report_scale(
                model,
                squared,
                "T1-ATTN-004",
                "The scores are scaled by 1/width: the factor 1/√width is applied twice",
                "Scale once: `scaled_dot_product_attention` already does it. muP uses 1/width and needs no change.",
            )
        )
    odd = [s for s in wide if s not in missing and s not in squared and not _is_near(s, 1.0)]
    if odd and all(_is_near(s, odd[0].relative_scale or 1.0) for s in odd):
        findings.append(
            _report_scale(
                model,
                odd,
                "T1-ATTN-006",
                f"The scores are scaled by {odd[0].scale:.4g} instead of {1 / math.sqrt(odd[0].width):.4g}, which is "
                f"1/√(width of one head){_guess_slip(odd[0])}",
                "Divide the scores by `math.sqrt(head_dim)`. Do not multiply by it, and do not use the model's "
                "width or the number of heads.",
            )
        )
    same = [s for s in scores if s.same]
    if same:
        first = same[0]
        findings.append(
            Finding(
                "T1-ATTN-005",
                Severity.INFO if is_library_class(model, first.path) else Severity.WARNING,
                f"Queries and keys are the same tensor{_count(same)}: attention is symmetric, and each position "
                "attends most to itself.",
                first.path,
                {"width": first.width, "calls": len(same)},
                "Use separate projections for queries and keys.",
            )
        )
    return findings


def _guess_slip(scores: AttentionScores) -> str:
    """What the factor looks like, in words."""
    if scores.scale is None:
        return ""
    if abs(scores.scale / math.sqrt(scores.width) - 1) <= _SCALE_TOLERANCE:
        return ": they are multiplied by √width instead of divided by it"
    whole = 1 / scores.scale**2 if scores.scale else 0.0
    heads = round(whole)
    if heads and abs(whole / heads - 1) <= _SCALE_TOLERANCE and heads % scores.width == 0:
        return (
            f": they are scaled by 1/√{round(whole)}, and {round(whole)} is the width of all heads together"
        )
    return ""


def _is_near(scores: AttentionScores, factor: float) -> bool:
    relative = scores.relative_scale
    return relative is not None and abs(relative / factor - 1) <= _SCALE_TOLERANCE


def _report_scale(
    model: nn.Module, scores: Sequence[AttentionScores], code: str, message: str, hint: str
) -> Finding:
    first = scores[0]
    # Attention before the transformer mixes what it compares, and has no scale.
    older = code == "T1-ATTN-003" and all(item.keys_are_values for item in scores)
    return Finding(
        code,
        Severity.INFO if older or is_library_class(model, first.path) else Severity.WARNING,
        f"{message}{_count(scores)}.",
        first.path,
        {
            "scale": first.scale,
            "usual_scale": 1 / math.sqrt(first.width),
            "relative_scale": first.relative_scale,
            "width": first.width,
            "calls": len(scores),
        },
        hint,
    )


def _count(calls: Sequence[object]) -> str:
    return f" (in {len(calls)} places)" if len(calls) > 1 else ""


CHECK = Check("T1-ATTN", "attention", 1, run, needs=("parameter values",), cost_steps=0.2, value=70)
