"""Measure how much the model's outputs change where a head is left out (ablation).

Source: Michel et al. 2019 (arXiv 1905.10650); Voita et al. 2019 (arXiv 1905.09418).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tierproof.analysis.attention.attention_figures import ModelAttention
from tierproof.analysis.attention.attention_pattern import OperationKey
from tierproof.analysis.attention.head_gates import run_with_gates
from tierproof.analysis.attention.output_change import OutputChange, keep_outputs
from tierproof.analysis.attention.repeated_tokens import run_on_repeats
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.read_examples import count_rows
from tierproof.core.time_limit import TimeIsUp
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject

# One forward pass each: as many as GPT-2 has heads, which on tokens this short cost less than ten training steps.
MOST_HEADS = 160


def measure_effects(
    subject: Subject,
    measured: ModelAttention,
    examples: ExampleSet,
    *,
    seed: int = 0,
    most_heads: int = MOST_HEADS,
    expired: Callable[[], bool] = lambda: False,
) -> ModelAttention:
    """Leave out one head after the other, and give the figures with `effect` and `divergence_nats` where it was tried.

    Args:
        subject: the model and how to call it.
        measured: its heads.
        examples: what they were measured on; the first is used, or the tokens that repeat.
        seed: of the inputs.
        most_heads: how many to try; in a model with more, every n-th head.
        expired: asked between two heads; where it says yes, those that remain have no effect measured. Each operation
            has its turn before any has a second, so what a short time leaves is spread over all layers.
    """

    def run(call: Call, gates: Mapping[OperationKey, Tensor]) -> tuple[Any, set[OperationKey]]:
        torch.manual_seed(seed)
        batch = count_rows(subject, call)
        with torch.no_grad():
            return run_with_gates(subject.model, lambda: subject.forward(call), batch, gates, measured.banded)

    changes: dict[tuple[OperationKey, int], OutputChange] = {}
    heads = _choose_heads(measured, most_heads)
    try:
        call = _choose_call(subject, measured, examples, seed)
        plain = keep_outputs(subject, call, run(call, {})[0])
        for key, count, head in heads:
            if expired():
                break
            gate = torch.ones(count, device=subject.device)
            gate[head] = 0.0
            returned, applied = run(call, {key: gate})
            change = plain.compare(returned) if applied else None
            if change is not None:
                changes[key, head] = change
    except TimeIsUp:
        pass  # what was tried stands
    return _fill_in(measured, changes)


def _choose_heads(measured: ModelAttention, most_heads: int) -> list[tuple[OperationKey, int, int]]:
    """Every n-th head with its operation and how many that has; the n-th heads of all operations together."""
    heads = [
        ((pattern.path, pattern.occurrence), len(pattern.heads), head)
        for pattern in measured.patterns
        for head in range(len(pattern.heads))
    ]
    every = max(-(-len(heads) // max(most_heads, 1)), 1)
    return sorted(heads[every - 1 :: every], key=lambda each: each[2] // every)


def _choose_call(subject: Subject, measured: ModelAttention, examples: ExampleSet, seed: int) -> Call:
    """What the figures were measured on: the tokens that repeat, else the first example."""

    def run(call: Call, _period: int) -> Call:
        with torch.no_grad():
            subject.forward(call)
        return call

    repeated = None if measured.period is None else run_on_repeats(subject, seed, run, rows=1)
    return examples.calls[0] if repeated is None else repeated


def _fill_in(
    measured: ModelAttention, changes: Mapping[tuple[OperationKey, int], OutputChange]
) -> ModelAttention:
    patterns = []
    for pattern in measured.patterns:
        heads = list(pattern.heads)
        for number, head in enumerate(heads):
            change = changes.get(((pattern.path, pattern.occurrence), number))
            if change is not None:
                heads[number] = replace(head, effect=change.relative, divergence_nats=change.divergence_nats)
        patterns.append(replace(pattern, heads=tuple(heads)))
    return replace(measured, patterns=tuple(patterns))
