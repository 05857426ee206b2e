"""Measure the attention of a whole model, without keeping any map."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch

from tierproof.analysis.attention.attention_figures import ModelAttention
from tierproof.analysis.attention.attention_pattern import AttentionPattern, OperationKey
from tierproof.analysis.attention.capture_patterns import observe_attention
from tierproof.analysis.attention.pattern_sums import PatternSums
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.read_examples import count_rows
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject

# Short enough to be cheap, long enough for a head to show where it looks.
_PERIOD = 32
_ROWS = 2


@dataclass
class _Passes:
    """What was seen over some passes; a pass that raises adds nothing."""

    sums: dict[OperationKey, PatternSums] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)

    def run(self, subject: Subject, call: Call, period: int | None, seed: int) -> None:
        """Run one pass, and add its attention operations one by one."""

        def note(pattern: AttentionPattern) -> None:
            sums = self.sums.setdefault(pattern.key, PatternSums(pattern))
            sums.add(pattern, period if period is not None and pattern.queries == 2 * period else None)

        torch.manual_seed(seed)
        capture = observe_attention(
            subject.model, lambda: subject.forward(call), count_rows(subject, call), note
        )
        self.unread |= dict.fromkeys([*capture.unread, *capture.failures])


def measure_attention(
    subject: Subject,
    examples: ExampleSet,
    *,
    seed: int = 0,
    expired: Callable[[], bool] = lambda: False,
) -> ModelAttention:
    """Run forward passes in evaluation mode and measure their attention.

    The figures of an operation are means over all examples, weighted by their queries.

    Args:
        subject: the model and how to call it.
        examples: what to run on, all of them; where they are not given, random tokens are repeated once, so that
            induction heads show.
        seed: of the inputs.
        expired: asked between two examples; where it says yes, those that remain are left out, and `inputs` tells.
    """
    subject.model.eval()
    if not examples.given:
        repeats = run_repeats(subject, seed)
        if repeats is not None:
            return repeats
        examples = ExampleSet(examples.calls[:1], examples.rows[:1])
    passes, done = _Passes(), 0
    for call in examples:
        if done and expired():
            break
        passes.run(subject, call, None, seed)
        done += 1
    told = examples.calls[0].describe() if len(examples) == 1 else examples.describe()
    return _conclude(subject, passes, told if done == len(examples) else f"{done} of {told}", None)


def run_repeats(subject: Subject, seed: int) -> ModelAttention | None:
    """Measure on tokens that repeat once; None where the model reads no tokens or refuses such lengths."""
    for call, period in list_repeats(subject, seed):
        passes = _Passes()
        try:
            passes.run(subject, call, period, seed)
        except Exception:  # noqa: BLE001 - sizes that the model refuses; the default ones run
            continue
        return _conclude(subject, passes, f"{period} random tokens, twice", period)
    return None


def _conclude(subject: Subject, passes: _Passes, inputs: str, period: int | None) -> ModelAttention:
    return ModelAttention(
        model=type(subject.model).__name__,
        inputs=inputs,
        period=period,
        patterns=tuple(sums.conclude() for sums in passes.sums.values()),
        unread=tuple(passes.unread),
    )


def list_repeats(subject: Subject, seed: int, rows: int = _ROWS) -> Iterator[tuple[Call, int]]:
    """Calls whose tokens repeat once, the better ones first, each with the number of tokens that repeat."""
    plan = subject.inputs
    primary = next((a for a in plan.arguments if a.name == plan.primary), None)
    if primary is None or primary.role != "tokens" or primary.sample is not None or not plan.has_length:
        return
    period = plan.clip_length(2 * _PERIOD) // 2
    if period < 2:
        return
    # Another length of the target tells cross-attention from attention among the same positions.
    for target_length in (2 * period - 1, 2 * period):
        call = subject.make_call(
            batch=rows if plan.has_batch else None,
            length=2 * period,
            target_length=target_length,
            seed=seed,
        )
        for argument in plan.arguments:
            tokens = call.tensors.get(argument.name)
            if argument.role == "tokens" and tokens is not None and tokens.shape[-1] == 2 * period:
                call = call.with_argument(argument.name, tokens[..., :period].tile(2))
        yield call, period
