"""T2-ATTENTION, attention: every head looks at something of its own, and the outputs depend on it.

What it does: reads the weights of every attention operation as the model computes it, fused or written out, on the
examples or on random tokens that repeat once. It measures each head's entropy, distance, weight by position, induction
and output, compares the heads of an operation, and leaves out one head after the other (ablation; 160 heads at most).

Why it matters: a head that does nothing, or the same as its neighbour, costs as much as one that works. A layer whose
weights do not depend on the query is an average and no attention. The usual figures need a switch to eager attention,
which many models do not offer and which takes the memory of all maps.

Evidence: the relative change of the outputs without the head, the relative difference of two heads' outputs, the
total variation between the weights of neighbouring queries, the entropy relative to an even spread.

Exemptions: a head is dead only if others of its operation have an effect; an operation that no output depends on
(adapters that start at zero, a last layer that is not read) is an info. Heads that share keys and values differ in
their queries, and are duplicates only if their outputs are equal to rounding. Heads near an even spread are usual in
fresh models, and are told only where the other heads of the model are not. A sink is never an error: trained models
put the weight there that a query has no use for.

Findings:
    T2-ATTENTION-001 warning: no output depends on a head, although others of its operation have an effect.
    T2-ATTENTION-002 warning: two heads of an operation give the same output.
    T2-ATTENTION-003 warning: the weights of all heads of an operation are the same whatever the query.
    T2-ATTENTION-004 warning: a head spreads its weight evenly over all keys, although other heads do not.
    T2-ATTENTION-005 info: heads put most of their weight on the first position, or on a learned sink.
    T2-ATTENTION-006 info: heads with a known role: induction, duplicate tokens, the previous position.
    T2-ATTENTION-007 info: attention that could not be read.
    T2-ATTENTION-008 info: no output depends on an attention operation as a whole.

Source: Clark et al. 2019 (arXiv 1906.04341), Voita et al. 2019 (arXiv 1905.09418), Michel et al. 2019 (arXiv
1905.10650), Olsson et al. 2022 (arXiv 2209.11895), Xiao et al. 2023 (arXiv 2309.17453) on sinks.
"""

from __future__ import annotations

from dataclasses import replace

from tierproof.analysis.attention.measure_attention import measure_attention
from tierproof.analysis.attention.measure_effects import measure_effects
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.tier2.attention.judge_heads import CODE, judge_attention
from tierproof.checks.tier2.attention.map_artifact import keep_map_artifact
from tierproof.core.artifact import Artifact
from tierproof.core.time_limit import TimeIsUp


def check_attention(context: CheckContext) -> CheckOutput:
    """Measure every head and judge it; see the module's docstring."""
    subject = context.subject
    examples = read_examples(subject, context.examples, context.seed)
    measured = measure_attention(
        subject, examples, seed=context.seed, expired=lambda: context.deadline.expired
    )
    if not measured.patterns:
        reason = "no attention was recognised in the forward pass"
        return CheckOutput(skipped=f"{reason}; {measured.unread[0]}" if measured.unread else reason)
    if not all(head.is_finite for pattern in measured.patterns for head in pattern.heads):
        return CheckOutput((), measured, skipped="attention weights are not finite (see T1-STAB)")
    artifacts: tuple[Artifact, ...] = ()
    try:
        measured = measure_effects(
            subject, measured, examples, seed=context.seed, expired=lambda: context.deadline.expired
        )
        artifacts = keep_map_artifact(context, examples, measured)
    except TimeIsUp:
        pass  # the figures stand; `heads_left_out_in_turn` tells how many heads were tried
    except Exception as error:  # noqa: BLE001 - told as a finding: the figures of the heads are whole
        what = "maps" if measured.heads_tried else "ablation and maps"
        told = f"{what}: {type(error).__name__}: {str(error)[:200]}"
        measured = replace(measured, unread=(*measured.unread, told))
    return CheckOutput(judge_attention(measured), measured, artifacts=artifacts)


CHECK = Check(CODE, "attention", 2, check_attention, cost_steps=14.0, least_steps=2.0, value=90)
