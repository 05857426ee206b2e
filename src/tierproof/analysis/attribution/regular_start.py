"""Choose a baseline from which the answer sets out smoothly.

From zero embeddings, or from a padding token whose embedding is zero, the first normalisation of a model divides by
almost nothing: the answer jumps within the first step of the path, and no number of steps integrates the jump.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from tierproof.analysis.attribution.example_rows import ExampleRow
from tierproof.analysis.attribution.path_input import GivenBaseline, PathInput, find_path_inputs
from tierproof.analysis.attribution.scored_model import ScoredModel
from tierproof.model.describe.subject import Subject

_FIRST_STEP = 0.01
# Ten times what an even way would cover.
_JUMP = 0.1


def open_inputs(
    subject: Subject,
    row: ExampleRow,
    given: GivenBaseline,
    most_pieces: int,
    special: frozenset[int],
    seed: int,
) -> tuple[PathInput, ...]:
    """The inputs of a row with the baseline that was asked for.

    Where none was, and the answer jumps as it leaves the usual one, the mean of the example's own embeddings stands in
    for it, if the answer leaves that more evenly.
    """
    inputs = find_path_inputs(subject, row, given, most_pieces, special)
    if given is not None or not any(each.order is not None for each in inputs):
        return inputs
    jump = measure_jump(ScoredModel(subject, row, inputs, seed))
    if jump <= _JUMP:
        return inputs
    means = find_path_inputs(subject, row, "mean", most_pieces, special)
    others = tuple(
        replace(mean, words=f"{mean.words}, because the answer jumps as it leaves {each.words}")
        if each.order is not None
        else each
        for each, mean in zip(inputs, means, strict=True)
    )
    if all(torch.allclose(each.value, each.baseline) for each in others):
        return inputs  # one token is its own mean
    return others if measure_jump(ScoredModel(subject, row, others, seed)) < jump else inputs


def measure_jump(scored: ScoredModel) -> float:
    """Which share of the way from the baseline's answer to the input's the first hundredth of the path covers."""
    at_input, at_baseline = scored.ends
    first = tuple(
        b + _FIRST_STEP * (a - b) if a.is_floating_point() else b
        for a, b in zip(at_input, at_baseline, strict=True)
    )
    with torch.no_grad():
        answer, blank, begun = (scored.answer(points) for points in (at_input, at_baseline, first))
    whole = (answer - blank).abs().nan_to_num(posinf=0.0).sum()
    return float((begun - blank).abs().nan_to_num(posinf=0.0).sum() / whole) if bool(whole > 0) else 0.0
