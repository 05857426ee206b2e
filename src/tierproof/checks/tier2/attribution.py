"""T2-ATTRIBUTION, attribution: the answer depends on the inputs, and its gradients tell which of them decide it.

What it does: scores what each token, patch or segment of an example adds to the answer (the predicted class, or the
next token), in three ways. Integrated gradients follow the path from a baseline to the input, with captum; the steps
are doubled from 10 until the sum of the scores and their ranking hold, and the path is walked backwards as a check.
Gradient times input looks at the input alone. Ablation replaces one piece at a time by the baseline.

Why it matters: an answer that no input decides is a bug, and scores that did not converge, or that three methods rank
differently, are no explanation.

Evidence: the scores of each piece by method, the completeness error, the steps, the rank correlation between methods,
and the forecast of time and memory that was made before.

Exemptions: without captum, integrated gradients are left out and named. Ids that are looked up in no table that can be
seen are only ablated. An answer that waits behind zero-initialised parameters gets no warning.

Findings:
    T2-ATTRIBUTION-001 warning: the gradient of the answer with respect to the inputs is NaN or infinite, although
        the answer is finite.
    T2-ATTRIBUTION-002 warning: the answer does not depend on the inputs.
    T2-ATTRIBUTION-003 info: the gradient of the answer with respect to the inputs is zero, although leaving pieces out
        changes the answer: a rounding, an argmax or a detach lies between.
    T2-ATTRIBUTION-004 info: integrated gradients did not converge within the steps that were allowed.
    T2-ATTRIBUTION-005 info: integrated gradients and ablation rank the pieces in opposite order. Untrained models do
        this too.
    T2-ATTRIBUTION-006 info: integrated gradients were left out, because captum is absent or broken.
    T2-ATTRIBUTION-007 info: integrated gradients along the reversed path give other scores, from the same points.

Source: Sundararajan et al. 2017 (integrated gradients), Zeiler and Fergus 2014 (ablation), captum.
"""

from __future__ import annotations

import math

from tierproof.analysis.attribution.answer_change import answer_follows_inputs
from tierproof.analysis.attribution.attribute_row import AttributionOptions
from tierproof.analysis.attribution.attribution_figures import (
    ABLATION,
    GRADIENT,
    INTEGRATED,
    ExampleAttribution,
    ModelAttribution,
)
from tierproof.analysis.attribution.measure_attribution import measure_attribution
from tierproof.analysis.attribution.special_tokens import find_mark_ids, find_mask_id
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity

CODE = "T2-ATTRIBUTION"
# Of a person's own examples more are worth their time than of random ones.
_MOST_GIVEN, _MOST_DRAWN = 8, 2
_MOST_PIECES = 32
_MOST_STEPS = 160
# By the forecast, for one example.
_MOST_S = 10.0
# Below this share of the score a change is rounding.
_ROUNDING = 1e-6
_OPPOSITE = -0.3
_LARGEST_REVERSE_ERROR = 0.1


def check_attribution(context: CheckContext) -> CheckOutput:
    """Attribute a few examples; see the module's docstring."""
    subject = context.subject
    examples = read_examples(subject, context.examples, context.seed)
    options = AttributionOptions(
        most_steps=_MOST_STEPS,
        most_pieces=_MOST_PIECES,
        most_s=_MOST_S,
        seed=context.seed,
        special=find_mark_ids(examples.tokenizer),
        mask_token=find_mask_id(examples.tokenizer),
    )
    measured = measure_attribution(
        subject, examples, options, most_examples=_MOST_GIVEN if examples.given else _MOST_DRAWN
    )
    if not measured.examples:
        reason = measured.stopped or next(iter(measured.skipped.values()), "there are no examples")
        return CheckOutput(skipped=f"no example could be attributed: {reason}")
    findings = [*_judge_gradients(measured), *_judge_dependence(context, measured), *_judge_paths(measured)]
    return CheckOutput(tuple(findings), measured)


def _judge_gradients(measured: ModelAttribution) -> list[Finding]:
    broken = [each for each in measured.examples if each.gradient_finite is False]
    if not broken:
        return []
    return [
        Finding(
            f"{CODE}-001",
            Severity.WARNING,
            f"The gradient of {broken[0].target} with respect to the inputs is NaN or infinite, although the score "
            f"itself is finite, in {len(broken)} of {len(measured.examples)} examples.",
            evidence={"examples": [each.number for each in broken], "score": broken[0].score},
            hint="Look for a square root, a norm or a division at zero; T1-GRAD names the module.",
        )
    ]


def _judge_dependence(context: CheckContext, measured: ModelAttribution) -> list[Finding]:
    still = [each for each in measured.examples if _is_still(each)]
    if still and len(still) == len(measured.examples) and not measured.stopped:
        return _judge_still(context, still)
    flat = [each for each in measured.examples if _has_no_gradient(each)]
    if not flat:
        return []
    return [
        Finding(
            f"{CODE}-003",
            Severity.INFO,
            f"The gradient of {flat[0].target} with respect to the inputs is zero everywhere, although leaving pieces "
            "out changes the score: gradients cannot explain this model.",
            evidence={"examples": [each.number for each in flat]},
            hint="Read the scores of ablation. A detach, a rounding or an argmax lies in between.",
        )
    ]


def _judge_still(context: CheckContext, still: list[ExampleAttribution]) -> list[Finding]:
    """What is said where no piece changes the score: only a whole answer that never changes is suspicious."""
    subject = context.subject
    if answer_follows_inputs(subject, context.seed) or answer_follows_inputs(
        subject, context.seed, filled=True
    ):
        return []
    return [
        Finding(
            f"{CODE}-002",
            Severity.WARNING,
            f"The answer does not depend on the inputs: nothing that is left out changes the score of "
            f"{still[0].target}, and another input gives the same answer.",
            evidence={"score": still[0].score, "baseline_score": still[0].baseline_score},
            hint="Look for an input that is overwritten, multiplied by zero or never used; T1-INPUT names it.",
        )
    ]


def _judge_paths(measured: ModelAttribution) -> list[Finding]:
    findings = []
    if INTEGRATED in measured.left_out:
        findings.append(
            Finding(
                f"{CODE}-006",
                Severity.INFO,
                f"Integrated gradients were left out: {measured.left_out[INTEGRATED]}",
                hint="`tierproof install --extra tier2` adds captum without changing what is installed.",
            )
        )
    walked = [each for each in measured.examples if each.path is not None]
    open_ended = [each for each in walked if each.path is not None and not each.path.converged]
    if open_ended:
        findings.append(_tell_open_end(open_ended, len(walked)))
    turned = [
        e for e in walked if e.path is not None and (e.path.reverse_error or 0.0) > _LARGEST_REVERSE_ERROR
    ]
    turned = [each for each in turned if each not in open_ended]
    if turned:
        findings.append(
            Finding(
                f"{CODE}-007",
                Severity.INFO,
                f"Integrated gradients along the reversed path give other scores of {turned[0].target}, although their "
                "sum converged.",
                evidence={"reverse_error": turned[0].path.reverse_error if turned[0].path else None},
                hint="Single scores may be off: pass a larger `most_steps` to `tp.attribute`.",
            )
        )
    opposed = [each for each in measured.examples if _are_opposed(each)]
    if opposed and len(opposed) == len(measured.examples):
        findings.append(_tell_disagreement(opposed))
    return findings


def _tell_open_end(open_ended: list[ExampleAttribution], walked: int) -> Finding:
    path = max((each.path for each in open_ended if each.path), key=lambda path: path.relative_delta)
    return Finding(
        f"{CODE}-004",
        Severity.INFO,
        f"Integrated gradients did not converge in {len(open_ended)} of {walked} examples: at {path.steps} steps the "
        f"sum of the scores is off by {path.relative_delta:.1%}.",
        evidence={
            "steps": path.steps,
            "relative_delta": path.relative_delta,
            "rank_change": path.rank_change,
            "examples": [each.number for each in open_ended],
        },
        hint="Pass a larger `most_steps`, or another `baseline`: from zero embeddings a layer norm jumps at the very "
        "first step.",
    )


def _tell_disagreement(opposed: list[ExampleAttribution]) -> Finding:
    pair = f"{INTEGRATED}~{ABLATION}"
    return Finding(
        f"{CODE}-005",
        Severity.INFO,
        "Integrated gradients and ablation rank the pieces in opposite order: do not read an explanation off either.",
        evidence={"rank_correlation": [each.agreement.get(pair) for each in opposed]},
        hint="Try another `baseline`. An untrained model may show this; a trained one that does is used far from its "
        "training data.",
    )


def _is_still(example: ExampleAttribution) -> bool:
    """Whether nothing that was left out, and no gradient, changes the score by more than rounding."""
    floor = _ROUNDING * max(abs(example.score), abs(example.baseline_score))
    scores = [abs(score) for method in example.methods for score in example.iterate_scores(method)]
    moved = abs(example.score - example.baseline_score)
    return ABLATION in example.methods and all(score <= floor for score in (*scores, moved))


def _has_no_gradient(example: ExampleAttribution) -> bool:
    gradient = list(example.iterate_scores(GRADIENT))
    ablation = list(example.iterate_scores(ABLATION))
    floor = _ROUNDING * max(abs(example.score), abs(example.baseline_score))
    return bool(gradient) and not any(gradient) and any(abs(score) > floor for score in ablation)


def _are_opposed(example: ExampleAttribution) -> bool:
    agreement = example.agreement.get(f"{INTEGRATED}~{ABLATION}")
    return agreement is not None and math.isfinite(agreement) and agreement < _OPPOSITE


CHECK = Check(
    CODE,
    "attribution",
    2,
    check_attribution,
    needs=("parameter values",),
    cost_steps=40.0,
    least_steps=5.0,
    value=70,
)
