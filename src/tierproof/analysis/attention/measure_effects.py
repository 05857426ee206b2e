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
    """Leave out one head after the other, and give the figures with `effect` filled in where it was tried.

    Args:
        subject: the model and how to call it.
        measured: its heads.
        examples: what they were measured on; the first is used, or the tokens that repeat.
        seed: of the inputs.
        most_heads: how many to try; in a model with more, every n-th head of each operation.
        expired: asked between two heads; where it says yes, those that remain have no effect measured.
    """
    call = _choose_call(subject, measured, examples, seed)
    batch = count_rows(subject, call)
    heads = [(pattern.path, pattern.occurrence, len(pattern.heads)) for pattern in measured.patterns]
    every = -(-sum(count for _, _, count in heads) // max(most_heads, 1))

    def run(gates: Mapping[OperationKey, Tensor]) -> tuple[Tensor, set[OperationKey]]:
        torch.manual_seed(seed)
        with torch.no_grad():
            returned, applied = run_with_gates(
                subject.model, lambda: subject.forward(call), batch, gates, measured.banded
            )
        return _flatten(returned), applied

    plain = run({})[0]
    size = float(plain.norm())
    effects: dict[tuple[str, int, int], float] = {}
    tried = 0
    for path, occurrence, count in heads:
        for head in range(count):
            tried += 1
            if tried % max(every, 1) or expired() or not size:
                continue
            gate = torch.ones(count, device=subject.device)
            gate[head] = 0.0
            try:
                changed, applied = run({(path, occurrence): gate})
            except TimeIsUp:
                return _fill_in(measured, effects)
            if applied and changed.shape == plain.shape:
                effects[path, occurrence, head] = float((changed - plain).norm()) / size
    return _fill_in(measured, effects)


def _choose_call(subject: Subject, measured: ModelAttention, examples: ExampleSet, seed: int) -> Call:
    """What the figures were measured on: the tokens that repeat, else the first example."""

    def run(call: Call, _period: int) -> Call:
        with torch.no_grad():
            subject.forward(call)
        return call

    repeated = None if measured.period is None else run_on_repeats(subject, seed, run, rows=1)
    return examples.calls[0] if repeated is None else repeated


def _fill_in(measured: ModelAttention, effects: Mapping[tuple[str, int, int], float]) -> ModelAttention:
    return replace(
        measured,
        patterns=tuple(
            replace(
                pattern,
                heads=tuple(
                    replace(head, effect=effects.get((pattern.path, pattern.occurrence, number)))
                    for number, head in enumerate(pattern.heads)
                ),
            )
            for pattern in measured.patterns
        ),
    )


def _flatten(returned: Any) -> Tensor:
    """All floating-point numbers of what a model returned, as one vector; those that are not finite count as zero."""
    found: list[Tensor] = []
    _collect(returned, found)
    if not found:
        return torch.zeros(0)
    return torch.cat([each.detach().flatten().double().nan_to_num(0.0, 0.0, 0.0) for each in found])


def _collect(value: Any, found: list[Tensor]) -> None:
    if isinstance(value, Tensor):
        if value.is_floating_point():
            found.append(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            _collect(each, found)
    elif isinstance(value, list | tuple):
        for each in value:
            _collect(each, found)
