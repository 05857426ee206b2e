"""Measure all figures of one model on examples."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from tierproof.analysis.capacity.capacity_figures import (
    BlockStack,
    CapacityFigures,
    EmbeddingShape,
    WeightSpectrum,
)
from tierproof.analysis.capacity.isotropy import measure_isotropy
from tierproof.analysis.capacity.logit_lens import read_lens
from tierproof.analysis.capacity.position_rows import plan_rows
from tierproof.analysis.capacity.watch_passes import WatchedPasses, watch_passes
from tierproof.analysis.capacity.weight_spectra import measure_weights
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.read_examples import count_rows
from tierproof.model.describe.subject import Subject
from tierproof.model.sizes.readable_values import read_values

INTERRUPTED = "the rest: the run was interrupted"
MOST_CALLS = 32
_MOST_LENS_CALLS = 4
# Smaller tables, such as those of segments, have no directions to speak of.
_LEAST_ROWS = 16


def measure_figures(
    subject: Subject,
    examples: ExampleSet,
    *,
    seed: int = 0,
    expired: Callable[[], bool] = lambda: False,
    keep_interrupted: bool = False,
) -> CapacityFigures:
    """Run at most 32 of the examples once each in evaluation mode, read the lens on four, and measure the weights.

    Parameter values are not changed. Blocks are replaced while the lens is read, and put back.

    Args:
        expired: whether no time is left; what was measured until then is kept, and `unread` says what is missing.
        keep_interrupted: whether Ctrl-C behind the passes, too, leaves what was measured until then.
    """
    calls = examples.calls[:MOST_CALLS]
    unread = []
    if len(calls) < len(examples):
        unread.append(
            f"{len(examples) - len(calls)} of {len(examples)} examples: the first {len(calls)} were enough"
        )
    passes = watch_passes(subject, calls, seed=seed, expired=expired)
    stacks = passes.stacks
    weights: tuple[WeightSpectrum, ...] = ()
    try:
        stacks, silent = _add_lens(subject, examples, passes, seed, expired)
        unread += silent
        weights, missing = measure_weights(subject.model, seed, expired)
        unread += missing
    except KeyboardInterrupt:
        if not keep_interrupted:
            raise
        unread.append(INTERRUPTED)
    if not passes.stacks:
        unread.append(
            "residual stream: the model has no stack of blocks of which each gets what the one before gave"
        )
    return CapacityFigures(
        weights=weights,
        stacks=stacks,
        units=passes.units,
        embeddings=_measure_tables(subject.model, passes.tables),
        experts=passes.experts,
        positions=passes.positions,
        unread=(*passes.unread, *unread),
    )


def _add_lens(
    subject: Subject, examples: ExampleSet, passes: WatchedPasses, seed: int, expired: Callable[[], bool]
) -> tuple[tuple[BlockStack, ...], list[str]]:
    """The stacks, the last of them with the logit lens where the answer is made of it."""
    if not passes.stacks or expired():
        return passes.stacks, []
    if subject.outputs.role != "logits":
        return passes.stacks, ["logit lens: the answer is no logits"]
    calls = [
        (call, plan_rows(subject, call, count_rows(subject, call)))
        for call in examples.calls[: min(_MOST_LENS_CALLS, passes.passes)]
    ]
    reasons = []
    # The answer is usually made of the stack that ran last, as the decoder's.
    for place in reversed(range(len(passes.stacks))):
        stack = passes.stacks[place]
        read = read_lens(subject, stack, passes.streams[stack.path], calls, seed=seed, expired=expired)
        if not isinstance(read, str):
            return (*passes.stacks[:place], read, *passes.stacks[place + 1 :]), []
        reasons.append(f"logit lens of `{stack.path}`: {read}")
    return passes.stacks, reasons


def _measure_tables(model: nn.Module, names: tuple[str, ...]) -> tuple[EmbeddingShape, ...]:
    parameters = dict(model.named_parameters())
    found = []
    for name in names:
        table = read_values(parameters[name])
        if table is not None and table.dim() == 2 and len(table) >= _LEAST_ROWS and table.is_floating_point():
            shape = measure_isotropy(name, table)
            found += [shape] if shape is not None else []
    return tuple(found)
