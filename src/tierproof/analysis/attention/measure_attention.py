"""Measure the attention of a whole model, without keeping any map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from tierproof.analysis.attention.attention_figures import ModelAttention
from tierproof.analysis.attention.attention_pattern import AttentionPattern, OperationKey
from tierproof.analysis.attention.bands.softmax_uses import SoftmaxKey
from tierproof.analysis.attention.capture_patterns import observe_attention
from tierproof.analysis.attention.pattern_sums import PatternSums
from tierproof.analysis.attention.repeated_tokens import run_on_repeats
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.read_examples import count_rows
from tierproof.core.time_limit import TimeIsUp
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject


@dataclass
class _Passes:
    """What was seen over some passes; a pass that raises adds nothing."""

    banded: frozenset[SoftmaxKey] = frozenset()
    missed: frozenset[SoftmaxKey] = frozenset()
    sums: dict[OperationKey, PatternSums] = field(default_factory=dict)
    unread: dict[str, None] = field(default_factory=dict)

    def run(self, subject: Subject, call: Call, period: int | None, seed: int) -> None:
        """Run one pass, and add its attention operations one by one."""

        def note(pattern: AttentionPattern) -> None:
            sums = self.sums.setdefault(pattern.key, PatternSums(pattern))
            sums.add(pattern, period if period is not None and pattern.queries == 2 * period else None)

        torch.manual_seed(seed)
        capture = observe_attention(
            subject.model, lambda: subject.forward(call), count_rows(subject, call), note, self.banded
        )
        self.missed |= capture.missed
        self.unread |= dict.fromkeys([*capture.unread, *capture.failures])


def measure_attention(
    subject: Subject,
    examples: ExampleSet,
    *,
    seed: int = 0,
    expired: Callable[[], bool] = lambda: False,
    keep_interrupted: bool = False,
) -> ModelAttention:
    """Run forward passes in evaluation mode and measure their attention.

    The figures of an operation are means over all examples, weighted by their queries.

    Args:
        subject: the model and how to call it.
        examples: what to run on, all of them; where they are not given, random tokens are repeated once, so that
            induction heads show.
        seed: of the inputs.
        expired: asked between two examples; where it says yes, those that remain are left out, and `inputs` tells.
        keep_interrupted: whether Ctrl-C, too, leaves out those that remain, if one is finished.
    """
    subject.model.eval()
    if not examples.given:
        repeats = _measure_repeats(subject, seed)
        if repeats is not None:
            return repeats
        examples = ExampleSet(examples.calls[:1], examples.rows[:1])
    done = 0

    def run(passes: _Passes) -> None:
        nonlocal done
        done = 0
        for call in examples:
            if done and expired():
                return
            try:
                passes.run(subject, call, None, seed)
            except (KeyboardInterrupt, TimeIsUp) as error:
                if not done or (isinstance(error, KeyboardInterrupt) and not keep_interrupted):
                    raise
                passes.unread[f"example {done + 1}: only a part, as the run was stopped"] = None
                return
            done += 1

    passes = _run_twice_if_missed(run)
    told = examples.calls[0].describe() if len(examples) == 1 else examples.describe()
    return _conclude(subject, passes, told if done == len(examples) else f"{done} of {told}", None)


def _run_twice_if_missed(run: Callable[[_Passes], None]) -> _Passes:
    """Run the passes; where weights were not read, once more, with an eye on where they come from."""
    passes = _Passes()
    run(passes)
    if passes.missed:
        passes = _Passes(passes.missed)
        run(passes)
    return passes


def _measure_repeats(subject: Subject, seed: int) -> ModelAttention | None:
    """Measure on tokens that repeat once; None where the model reads no tokens or refuses such lengths."""

    def run(call: Call, period: int) -> ModelAttention:
        passes = _run_twice_if_missed(lambda each: each.run(subject, call, period, seed))
        return _conclude(subject, passes, f"{period} random tokens, twice", period)

    return run_on_repeats(subject, seed, run)


def _conclude(subject: Subject, passes: _Passes, inputs: str, period: int | None) -> ModelAttention:
    return ModelAttention(
        model=type(subject.model).__name__,
        inputs=inputs,
        period=period,
        patterns=tuple(sums.conclude() for sums in passes.sums.values()),
        unread=tuple(passes.unread),
        banded=tuple(sorted(passes.banded - passes.missed)),
    )
