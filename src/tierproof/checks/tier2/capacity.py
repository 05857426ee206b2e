"""T2-CAPACITY, capacity: every part of the model that could hold something is in use.

What it does: measures, in a few forward passes on the examples (or on random inputs), the effective and stable rank of
every weight matrix, the residual stream behind every block (norm, the block's share, outliers, alignment with the other
layers, the logit lens), the units of the activation functions, the directions of embeddings and the load of experts. It
measures a freshly initialised instance of the same class on the same inputs, so that what training did can be told from
what the architecture does.

Why it matters: a dead expert, silent units or a block that passes its input on cost parameters and time and give
nothing. A single huge activation decides how far the model can be quantised. None of them raises an exception, and the
loss alone does not tell them from a model that is too small.

Evidence: the figure that was judged, the same figure of the twin, and how many positions it rests on.

Exemptions: experts and units are judged only after enough random inputs were run beside the examples (64 tokens for
each expert, 1,024 positions for units). Idle experts are an info where the twin starves others (a router that is drawn
at random may be uneven), and where the router's scores are all equal. A block whose twin passes its input on too, and
blocks that all do, are zero-initialised by design. Ranks and the likeness of positions are judged only against a twin.

Findings:
    T2-CAPACITY-001 warning or info: an expert gets no token, or less than a fiftieth of an even share. An info where
        only the examples leave it out, or where a router drawn at random does.
    T2-CAPACITY-002 warning or info: a massive activation: over 100, and over 1,000 times the median of its layer. A
        warning where it is beyond the largest float16.
    T2-CAPACITY-003 warning: a block leaves its input as it is, while its siblings change theirs.
    T2-CAPACITY-004 warning: over nine tenths of the units of an activation function are silent at every position.
    T2-CAPACITY-005 warning: the hidden states of all positions are alike, and those of a fresh instance are not.
    T2-CAPACITY-006 info: a weight has an effective rank of at most a hundredth of the full one, and that of a fresh
        instance has not.

Source: Roy and Vetterli 2007 (effective rank); Sun et al. 2024, arXiv 2402.17762 (massive activations); Fedus et al.
2022, arXiv 2101.03961 (expert load); Dong et al. 2021, arXiv 2103.03404 (rank collapse); Kornblith et al. 2019, arXiv
1905.00414 (CKA).
"""

from __future__ import annotations

from tierproof.analysis.capacity.capacity_figures import ModelCapacity
from tierproof.analysis.capacity.compare_capacity import measure_capacity
from tierproof.analysis.capacity.more_passes import watch_more
from tierproof.analysis.capacity.watch_passes import WatchedPasses
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.checks.tier2.capacity_findings.parts_in_use import (
    find_idle_experts,
    find_silent_layers,
    judge_experts,
    judge_units,
)
from tierproof.checks.tier2.capacity_findings.streams import judge_collapse, judge_massive, judge_unchanged
from tierproof.checks.tier2.capacity_findings.weights import judge_ranks

CODE = "T2-CAPACITY"
_TOKENS_PER_EXPERT = 64
_POSITIONS_FOR_UNITS = 1024


def check_capacity(context: CheckContext) -> CheckOutput:
    """Measure the model and judge what it leaves unused; see the module's docstring."""
    subject = context.subject
    examples = read_examples(subject, context.examples, context.seed)
    measured = measure_capacity(
        subject, examples, seed=context.seed, expired=lambda: context.deadline.expired
    )
    own = measured.own
    if not own.weights and not own.stacks:
        return CheckOutput(skipped="the model has no weight matrix and no stack of blocks that could be read")
    more = _confirm(context, measured)
    findings = (
        *judge_experts(measured, more, given=examples.given, vocabulary=subject.traits.vocab_size),
        *judge_massive(measured),
        *judge_unchanged(measured),
        *judge_units(measured, more),
        *judge_collapse(measured),
        *judge_ranks(measured),
    )
    return CheckOutput(findings, measured)


def _confirm(context: CheckContext, measured: ModelCapacity) -> WatchedPasses | None:
    """More random inputs, where something was not seen that they could show; None where nothing was missing."""
    idle = find_idle_experts(measured.own.experts)
    positions = max((_TOKENS_PER_EXPERT * len(load.shares) for load, _ in idle), default=0)
    if find_silent_layers(measured.own.units):
        positions = max(positions, _POSITIONS_FOR_UNITS)
    if not positions or context.deadline.expired:
        return None
    return watch_more(context.subject, positions, seed=context.seed, expired=lambda: context.deadline.expired)


CHECK = Check(
    CODE,
    "capacity",
    2,
    check_capacity,
    needs=("parameter values",),
    cost_steps=5.0,
    least_steps=2.0,
    value=75,
)
