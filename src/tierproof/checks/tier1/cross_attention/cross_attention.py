"""T1-CROSS: in an encoder-decoder, the encoder's input and the decoder's input both affect the output.

What it does: replaces the whole source, then the whole target, and checks whether the output changes at all. Then it
calls each module that reads both by itself, with the later half of the source's states replaced: the output at the
first target position must change, as at the last.

Why it matters: a cross-attention that reads the decoder's own states trains without an error, as a language model
that never sees its source. A cross-attention that is given the target's mask translates the first word from the first
word alone.

Evidence: the largest change of the output relative to its standard deviation; a change of zero, up to rounding, is
the bug.

Exemptions: gates and heads that are all zero are filled with random values before judging. Models that read their
source as it arrives (wait-k) hide it on purpose, so this is only a warning.

Findings:
    T1-CROSS-001 error: the encoder's input has no effect.
    T1-CROSS-002 error: the decoder's input has no effect.
    T1-CROSS-003 warning: cross-attention hides later source positions from earlier target positions.

Source: the second attention of each decoder layer reads the encoder's output (Vaswani et al. 2017, section
3.2.3).
"""

from __future__ import annotations

from torch import Tensor

from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.claim import claim_error
from tierproof.checks.tier1.cross_attention.cross_masks import judge_cross_masks
from tierproof.core.finding import Finding
from tierproof.model.call.call import Call
from tierproof.model.call.input_plan import Argument
from tierproof.model.call.perturb import can_perturb, find_followed_argument
from tierproof.model.compare.comparison import measure_change
from tierproof.model.compare.locate import TensorPairs, locate
from tierproof.model.compare.steady_answer import Baseline, find_baseline
from tierproof.model.describe.basis import Basis

# A weighted mean of equal values differs from them by rounding alone.
_ROUNDING = 5e-6


def run(context: CheckContext) -> CheckOutput:
    """Run the check."""
    subject = context.subject
    if not subject.traits.encoder_decoder:
        return CheckOutput(skipped="the model is not an encoder-decoder")
    target = find_followed_argument(subject.inputs.arguments, subject.outputs)
    sources = [a for a in subject.inputs.arguments if can_perturb(a) and a is not target]
    if target is None or not sources:
        return CheckOutput(
            skipped="tierproof cannot tell which input goes to the encoder and which to the decoder"
        )
    base = find_baseline(subject, context.seed, batch=1)
    if isinstance(base, str):
        return CheckOutput(skipped=base)
    from_source = _measure_effect(base, sources, context.seed)
    from_target = _measure_effect(base, [target], context.seed)
    findings = []
    if from_source <= _ROUNDING:
        findings.append(_accuse_source(base, sources, context.seed))
    if from_target <= _ROUNDING:
        findings.append(_accuse_target(target))
    if not findings:
        others = (_redraw(base, chosen, context.seed) for chosen in (sources, [target]))
        findings += judge_cross_masks(base, *others)
    return CheckOutput(
        tuple(findings), {"change_from_source": from_source, "change_from_target": from_target}
    )


def _measure_effect(base: Baseline, arguments: list[Argument], seed: int) -> float:
    """The change of the answer when the arguments are drawn anew; with closed gates opened if it is zero."""
    changed = _redraw(base, arguments, seed)
    change = measure_change(base.answer, base.answers(changed))
    if change <= _ROUNDING:
        opened = base.answers.with_zeros_filled()
        change = measure_change(opened(base.call), opened(changed))
    return change


def _redraw(base: Baseline, arguments: list[Argument], seed: int) -> Call:
    other = base.answers.subject.make_call(
        batch=base.batch, length=base.length, target_length=base.target_length, seed=seed + 1
    )
    call = base.call
    for argument in arguments:
        call = call.with_argument(argument.name, other.arguments[argument.name])
    return call


def _accuse_source(base: Baseline, sources: list[Argument], seed: int) -> Finding:
    def moved(pair: tuple[Tensor, Tensor]) -> bool:
        return measure_change(*pair) > _ROUNDING

    def swallows(inputs: TensorPairs, outputs: TensorPairs) -> bool:
        return any(map(moved, inputs)) and bool(outputs) and not any(map(moved, outputs))

    where = locate(
        base.answers.subject.model, base.call, _redraw(base, sources, seed), swallows, seed=base.answers.seed
    )
    names = ", ".join(f"`{argument.name}`" for argument in sources)
    cause = (
        f"`{where}` receives the encoder's states, but its output does not depend on them"
        if where
        else "the decoder never receives the encoder's output"
    )
    return claim_error(
        "T1-CROSS-001",
        f"The encoder's input ({names}) has no effect on the output: {cause}.",
        where,
        {"change_from_source": 0.0},
        "In the cross-attention, take keys and values from the encoder's output, and queries from the decoder.",
        rests_on=(Basis.INPUTS, Basis.ENCODER_DECODER),
    )


def _accuse_target(target: Argument) -> Finding:
    return claim_error(
        "T1-CROSS-002",
        f"The decoder's input (`{target.name}`) has no effect on the output.",
        "",
        {"change_from_target": 0.0},
        "Embed the decoder's own input, and pass the decoder's states to the head, not the encoder's.",
        rests_on=(Basis.INPUTS, Basis.ENCODER_DECODER),
    )


CHECK = Check(
    "T1-CROSS",
    "encoder influence on the decoder",
    1,
    run,
    needs=("parameter values", "encoder-decoder"),
    cost_steps=0.2,
    value=76,
)
