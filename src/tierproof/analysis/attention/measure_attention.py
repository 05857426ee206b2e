"""Measure the attention of a whole model in one forward pass."""

from __future__ import annotations

import torch

from tierproof.analysis.attention.attention_figures import ModelAttention, PatternStatistics
from tierproof.analysis.attention.attention_pattern import AttentionPattern
from tierproof.analysis.attention.capture_patterns import observe_attention
from tierproof.analysis.attention.measure_pattern import measure_pattern
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.read_examples import count_rows
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject

# Short enough to be cheap, long enough for a head to show where it looks.
_PERIOD = 32


def measure_attention(subject: Subject, examples: ExampleSet, *, seed: int = 0) -> ModelAttention:
    """Run one forward pass in evaluation mode and measure its attention, without keeping any map.

    Args:
        subject: the model and how to call it.
        examples: what to run on; where they are not given, random tokens are repeated once, so that induction heads
            show.
        seed: of the inputs.
    """
    subject.model.eval()
    call, period = (None, None) if examples.given else _make_repeats(subject, seed)
    if call is None:
        call, period = (examples.calls[0] if examples.given else subject.make_call(seed=seed)), None
    patterns: list[PatternStatistics] = []
    torch.manual_seed(seed)
    capture = observe_attention(
        subject.model,
        lambda: subject.forward(call),
        count_rows(subject, call),
        lambda pattern: patterns.append(measure_pattern(pattern, _find_period(pattern, period))),
    )
    return ModelAttention(
        model=type(subject.model).__name__,
        inputs=call.describe() if period is None else f"{period} random tokens, twice",
        period=period,
        patterns=tuple(patterns),
        unread=tuple(dict.fromkeys([*capture.unread, *capture.failures])),
    )


def _find_period(pattern: AttentionPattern, period: int | None) -> int | None:
    """The period, for a pattern among the tokens that repeat."""
    return period if period is not None and pattern.queries == 2 * period else None


def _make_repeats(subject: Subject, seed: int) -> tuple[Call | None, int | None]:
    """A call whose tokens repeat once; (None, None) where tokens are not what the model reads, or it is too short."""
    plan = subject.inputs
    primary = next((a for a in plan.arguments if a.name == plan.primary), None)
    if primary is None or primary.role != "tokens" or primary.sample is not None or not plan.has_length:
        return None, None
    period = plan.clip_length(2 * _PERIOD) // 2
    if period < 2:
        return None, None
    # Another length of the target tells cross-attention from attention among the same positions.
    for target_length in (2 * period - 1, 2 * period):
        call = subject.make_call(
            batch=1 if plan.has_batch else None,
            length=2 * period,
            target_length=target_length,
            seed=seed,
        )
        for argument in plan.arguments:
            tokens = call.tensors.get(argument.name)
            if argument.role == "tokens" and tokens is not None and tokens.shape[-1] == 2 * period:
                call = call.with_argument(argument.name, tokens[..., :period].tile(2))
        try:
            with torch.no_grad():
                subject.forward(call)
        except Exception:  # noqa: BLE001 - sizes that the model refuses; the default ones run
            continue
        return call, period
    return None, None
