"""T2-ADVERSARIAL, adversarial tokens: gradients lead a search to tokens that turn an answer sooner than chance does.

What it does: takes up to eight rows, and in each replaces one token after another so that its class loses its lead
over the next best. Three searches have the same number of forward passes, in which a backward pass counts as two:
*hotflip* tries the replacements with the largest first-order effect, *greedy coordinate* draws among the 8 best tokens
of each position, and *random* draws from all tokens. Special tokens are neither replaced nor put in, at most 30% of a
row's tokens change, and with a tokenizer only inputs count that decode and encode to themselves.

Why it matters: the fewer tokens it takes, the less an answer rests on the input as a whole. A search that gradients
lead and that does worse than chance shows that the gradients tell little of what the model does.

Evidence: the share of rows turned with its 95% interval (Clopper–Pearson), against forward passes and against tokens
changed, for each search, and the inputs that were found.

Exemptions: models that read no token ids, and answers that are vectors. Answers with a lead below 0.5 in probability
are no news when they turn. Rows that the model answers wrongly before any change are left out, where labels are given.

Findings:
    T2-ADVERSARIAL-001 info: one replaced token turns most answers, although the model was sure of them.
    T2-ADVERSARIAL-002 warning: random search turns answers that the gradient-based searches do not.
    T2-ADVERSARIAL-003 info: no gradient of the answer reaches the embeddings, so only random search was run.
    T2-ADVERSARIAL-004 info: the time ended before every row was searched.

Source: HotFlip (Ebrahimi et al. 2018), greedy coordinate gradient (Zou et al. 2023); gradients that mislead a search:
Athalye et al. 2018.
"""

from __future__ import annotations

from math import comb

from tierproof.analysis.adversarial.adversarial_figures import (
    COORDINATE,
    HOTFLIP,
    RANDOM,
    ModelAdversarial,
)
from tierproof.analysis.adversarial.measure_adversarial import (
    DEFAULT_PASSES,
    measure_adversarial,
)
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.random_rows import draw_rows
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.finding import Finding, Severity
from tierproof.errors import UsageError
from tierproof.model.describe.subject import Subject

CODE = "T2-ADVERSARIAL"
_ROWS = 8
# Three searches over so many tokens cost about as much as 15 forward and backward passes of two rows of 256 tokens.
_TOKEN_PASSES = 15 * 512
# One gradient and one batch of candidates, and a second batch that is half full: fewer passes try nothing.
_LEAST_PASSES = 15
_SURE = 0.5
_LEAST_SURE = 4
# By a sign test over the rows that only one of two searches turned.
_CHANCE = 0.01


def check_adversarial(context: CheckContext) -> CheckOutput:
    """Run the searches; see the module's docstring."""
    subject = context.subject
    try:
        if context.examples is None:
            examples = draw_rows(subject, _ROWS, context.seed)
        else:
            examples = read_examples(subject, context.examples, context.seed)
        rows, passes = _share_out(subject, examples)
        measured = measure_adversarial(subject, examples, passes=passes, most_rows=rows, seed=context.seed)
    except UsageError as error:
        return CheckOutput(skipped=error.message)
    if not measured.searches:
        return CheckOutput(skipped=_explain_nothing(measured))
    findings = [*_judge_sure(measured), *_judge_gradient(measured), *_judge_time(measured)]
    return CheckOutput(tuple(findings), measured)


def _share_out(subject: Subject, examples: ExampleSet) -> tuple[int, int]:
    """How many rows are searched, and with how many passes each, so that the cost stays the same."""
    name = subject.inputs.primary
    tokens = [
        call.tensors[name].numel() / max(rows, 1)
        for call, rows in zip(examples.calls, examples.rows, strict=True)
        for _ in range(rows)
        if name in call.tensors
    ]
    rows, total = 0, 0.0
    for size in tokens[:_ROWS]:
        if rows and (total + size) * _LEAST_PASSES > _TOKEN_PASSES:
            break
        rows, total = rows + 1, total + size
    passes = int(_TOKEN_PASSES / max(total, 1.0))
    return max(rows, 1), min(max(passes, _LEAST_PASSES), DEFAULT_PASSES)


def _explain_nothing(measured: ModelAdversarial) -> str:
    if measured.not_searched:
        row, reason = measured.not_searched[0]
        return f"no row could be searched: of row {row}, {reason}"
    if measured.wrong:
        return f"the model answers all {measured.wrong} examples wrongly before any change"
    return "the time ended before the first row was searched; pass a larger --budget"


def _judge_sure(measured: ModelAdversarial) -> list[Finding]:
    sure = {row.row for row in measured.rows if row.gap >= _SURE}
    if len(sure) < _LEAST_SURE:
        return []
    turned = {
        trace.row
        for search in measured.searches
        for trace in search.traces
        if trace.row in sure and trace.turned is not None and trace.turned.changed == 1
    }
    if len(turned) <= len(sure) / 2:
        return []
    return [
        Finding(
            f"{CODE}-001",
            Severity.INFO,
            f"Replacing one token changes {len(turned)} of {len(sure)} answers that lead by {_SURE:g} or more in "
            "probability.",
            evidence={"turned": len(turned), "sure": len(sure), "rows": sorted(turned)},
            hint="`tp.adversarial` shows the inputs. Train with the tokens replaced, or judge whether the new inputs "
            "mean something else.",
        )
    ]


def _judge_gradient(measured: ModelAdversarial) -> list[Finding]:
    if measured.no_gradient:
        return [
            Finding(
                f"{CODE}-003",
                Severity.INFO,
                f"The gradient-based searches for tokens that change the answer were not run: {measured.no_gradient}.",
                evidence={"reason": measured.no_gradient},
                hint="Look for rounding, `sign`, `argmax`, `detach` or `no_grad` between the embedding and the output "
                "(see T1-GRAD).",
            )
        ]
    by_chance = _find_turned(measured, RANDOM)
    led = _find_turned(measured, HOTFLIP) | _find_turned(measured, COORDINATE)
    only_chance, only_led = len(by_chance - led), len(led - by_chance)
    if only_chance == 0 or _test_signs(only_chance, only_led) > _CHANCE:
        return []
    return [
        Finding(
            f"{CODE}-002",
            Severity.WARNING,
            f"Random search changes {only_chance} answers that no gradient-based search changes with as many forward "
            f"passes. The gradient-based searches change {only_led} that random search does not: the gradients "
            "mislead.",
            evidence={"only_random": only_chance, "only_gradient": only_led, "passes": measured.budget},
            hint="Look for saturated activations, straight-through estimators and detached branches between the "
            "embedding and the output (see T1-GRAD).",
        )
    ]


def _find_turned(measured: ModelAdversarial, name: str) -> set[int]:
    search = measured.search(name)
    return set() if search is None else {t.row for t in search.traces if t.turned is not None}


def _test_signs(wins: int, losses: int) -> float:
    """The probability of at least so many wins among as many tosses of a coin."""
    count = wins + losses
    return float(sum(comb(count, k) for k in range(wins, count + 1)) / 2**count)


def _judge_time(measured: ModelAdversarial) -> list[Finding]:
    if measured.complete:
        return []
    return [
        Finding(
            f"{CODE}-004",
            Severity.INFO,
            f"The time ended after {len(measured.rows)} rows; the last may have been searched in part.",
            evidence={"rows": len(measured.rows)},
            hint="Pass a larger --budget, or fewer examples.",
        )
    ]


CHECK = Check(
    CODE,
    "adversarial tokens",
    2,
    check_adversarial,
    needs=("parameter values", "unquantised layers"),
    cost_steps=10.0,
    least_steps=2.0,
    value=40,
)
