"""T2-ROBUSTNESS, robustness: rounding and padding leave the answers that are no near ties as they are.

What it does: runs the examples (or 16 rows of random inputs) as they are, and once under each perturbation at one to
three strengths. Of token ids: swapped, dropped, inserted, reordered, cut off, and padded on either side with a mask;
of texts: typing errors. Embeddings get noise relative to the table's own spread. Real values get noise, a shift and
brightness. All models run in bfloat16, float16, and with linear layers in int8 as
`torch.ao.quantization.quantize_dynamic` makes them. Answers are compared with the labels where there are some, else
with the model's own: the class, the next token, the class at each position, or of a vector, whether its own row is
still the nearest.

Why it matters: a model that is served in half precision or int8, or in padded batches, should answer as it did when
it was evaluated. The curves show what an answer hangs on: a model that keeps every answer when the tokens change
places does not read their order.

Evidence: the share of answers kept with its 95% interval (Clopper–Pearson), divergence and cosine (bootstrap over
rows, 2,000 resamples, fixed seed), the relative error, and the chance line: how often the answers of two different
rows agree.

Exemptions: near ties. Where the two largest probabilities differ by less than 0.1, rounding may turn the answer of a
sound model, and in an untrained one it does; these rows give an info with the relative error. Padding on the left moves
absolute positions, which is a matter of the caller's position ids: an info. Special tokens are never edited, nor is the
last token of a decoder, where the next one is asked for.

Findings:
    T2-ROBUSTNESS-001 warning: reduced precision changes more than 5% of the answers that are no near ties.
    T2-ROBUSTNESS-002 warning or info: padding changes the answer although a mask hides it (a warning on the right,
        where more than 5% of the answers that are no near ties change, and no layer mixes neighbours without a mask).
    T2-ROBUSTNESS-003 info: no perturbation changes any answer.
    T2-ROBUSTNESS-004 info: reduced precision changes answers that are near ties, or too few others to judge.
    T2-ROBUSTNESS-005 info: in reduced precision the output is not finite.
    T2-ROBUSTNESS-006 info: the time ended before every row was measured.

Source: Clopper and Pearson 1934; Hesterberg 2015 for small samples; typing errors after Pruthi et al. 2019.
"""

from __future__ import annotations

from tierproof.analysis.examples.random_rows import draw_rows
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.analysis.robustness.measure_robustness import measure_robustness
from tierproof.analysis.robustness.robustness_figures import (
    NOT_INPUT,
    PADDING,
    PRECISION,
    ModelRobustness,
    PerturbationFigures,
)
from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.errors import UsageError
from tierproof.model.describe.subject import Subject

CODE = "T2-ROBUSTNESS"
# With all 16 random rows kept, the interval still reaches down to 79%; fewer rows tell nothing.
_RANDOM_ROWS = 16
_MOST_ROWS = 32
# Fewer decided answers than this are an anecdote, whatever their interval.
_LEAST_DECIDED = 4
_MOST_CHANGED = 0.05
# Padding that a mask hides may change the order of sums, which stays below this on every healthy model of the zoo.
_PADDING_ERROR = 1e-2


def check_robustness(context: CheckContext) -> CheckOutput:
    """Measure the robustness; see the module's docstring."""
    subject = context.subject
    try:
        examples = (
            draw_rows(subject, _RANDOM_ROWS, context.seed)
            if context.examples is None
            else read_examples(subject, context.examples, context.seed)
        )
        measured = measure_robustness(subject, examples, most_rows=_MOST_ROWS, seed=context.seed)
    except UsageError as error:
        return CheckOutput(skipped=error.message)
    if not measured.perturbations:
        return CheckOutput(skipped=_explain_nothing(measured))
    findings = [
        *_judge_precision(measured),
        *_judge_padding(measured, subject),
        *_judge_constant(measured),
        *_judge_time(measured),
    ]
    return CheckOutput(tuple(findings), measured)


def _explain_nothing(measured: ModelRobustness) -> str:
    if not measured.complete:
        return "the time ended before the first row was measured; pass a larger --budget"
    reasons = "; ".join(f"{name}: {reason}" for name, reason in measured.not_measured)
    return f"no perturbation could be measured ({reasons})"


def _judge_precision(measured: ModelRobustness) -> list[Finding]:
    findings = []
    for figures in measured.of(PRECISION):
        if figures.broken:
            findings.append(_report_broken(figures))
        elif _changes_decided(figures):
            findings.append(_report_precision(figures))
        elif figures.kept is not None and figures.kept.value < 1 and measured.answer != "vector":
            findings.append(_report_ties(figures, measured))
    return findings


def _changes_decided(figures: PerturbationFigures) -> bool:
    """Whether more of the answers that are no near ties change than may, at the far end of the interval."""
    decided = figures.decided_kept
    return decided is not None and decided.count >= _LEAST_DECIDED and decided.high < 1 - _MOST_CHANGED


def _report_precision(figures: PerturbationFigures) -> Finding:
    decided = figures.decided_kept
    assert decided is not None
    return Finding(
        f"{CODE}-001",
        Severity.WARNING,
        f"In {figures.setting} the model changes {1 - decided.value:.0%} of {decided.count} answers that are no near "
        "ties.",
        evidence={
            "kept": decided.value,
            "kept_interval": [decided.low, decided.high],
            "rows": decided.count,
            "relative_error": figures.relative_error,
        },
        hint="Serve the model in float32, or keep the last layers and large sums in float32. Values that all classes "
        "share, and activations much larger than the others, take the digits that tell classes apart.",
    )


def _report_ties(figures: PerturbationFigures, measured: ModelRobustness) -> Finding:
    kept = figures.kept
    assert kept is not None
    error = f" by {figures.relative_error:.2g} of their spread" if figures.relative_error is not None else ""
    decided = figures.decided_kept
    ties = decided is None or decided.value == 1
    what = (
        f"all of them near ties: in the median row the two largest probabilities differ by {measured.median_gap:.2g}"
        if ties and measured.median_gap is not None
        else "too few to tell from chance"
    )
    return Finding(
        f"{CODE}-004",
        Severity.INFO,
        f"{figures.setting} changes {1 - kept.value:.1%} of the answers, {what}. It moves the scores{error}.",
        evidence={"kept": kept.value, "relative_error": figures.relative_error, "gap": measured.median_gap},
        hint="An untrained model has many near ties; ask again when it is trained."
        if ties
        else "Pass more examples.",
    )


def _report_broken(figures: PerturbationFigures) -> Finding:
    return Finding(
        f"{CODE}-005",
        Severity.INFO,
        f"In {figures.setting} the output is not finite for {figures.broken} of {figures.rows} rows.",
        evidence={"broken": figures.broken, "rows": figures.rows},
        hint="T1-HALF and T1-STAB say which module leaves the range.",
    )


def _judge_padding(measured: ModelRobustness, subject: Subject) -> list[Finding]:
    findings = []
    for figures in measured.of(PADDING):
        moved = figures.broken > 0 or (figures.relative_error or 0.0) > _PADDING_ERROR
        right = figures.setting == "on the right"
        turned = _changes_decided(figures)
        if not moved or not (right or turned):
            continue
        mixes = subject.traits.recurrent or subject.traits.experts or not subject.inputs.padding
        leaks = right and turned and not mixes
        kept = f"; {1 - figures.kept.value:.0%} of the answers change" if figures.kept is not None else ""
        findings.append(
            Finding(
                f"{CODE}-002",
                Severity.WARNING if leaks else Severity.INFO,
                f"Padding {figures.setting} that a mask hides moves the output by "
                f"{figures.relative_error or 0.0:.2g} of its spread{kept}.",
                evidence={"relative_error": figures.relative_error, "rows": figures.rows},
                hint="T1-PAD says whether the mask leaks, and where."
                if right
                else "Pass position ids that begin at the first visible token; T1-PAD says more.",
            )
        )
    return findings


def _judge_constant(measured: ModelRobustness) -> list[Finding]:
    changed = [figures for figures in measured if figures.name not in (*NOT_INPUT, PADDING)]
    kept = [figures.kept.value for figures in changed if figures.kept is not None]
    if measured.rows < 2 or len(kept) < 2 or measured.answer == "vector" or min(kept) < 1:
        return []
    alike = measured.chance is not None and measured.chance > 1 - _MOST_CHANGED
    what = (
        "all rows get one and the same answer"
        if alike
        else "each row keeps its own answer, whatever its tokens or values are"
    )
    return [
        Finding(
            f"{CODE}-003",
            Severity.INFO,
            f"No perturbation of the input changes any of the {measured.rows} answers: {what}.",
            evidence={"perturbations": len(kept), "chance": measured.chance},
            hint="A constant answer is usual before training. After it, see T1-INPUT, and look for a class that is far "
            "more frequent than the others.",
        )
    ]


def _judge_time(measured: ModelRobustness) -> list[Finding]:
    if measured.complete:
        return []
    return [
        Finding(
            f"{CODE}-006",
            Severity.INFO,
            f"The time ended after {measured.rows} rows; the figures cover only these.",
            evidence={"rows": measured.rows},
            hint="Pass a larger --budget, or fewer examples.",
        )
    ]


CHECK = Check(
    CODE,
    "robustness",
    2,
    check_robustness,
    needs=("parameter values", "unquantised layers"),
    cost_steps=12.0,
    least_steps=2.0,
    value=60,
)
