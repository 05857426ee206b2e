"""The call that the attention of a model is measured on."""

from __future__ import annotations

from tierproof.analysis.attention.measure_attention import _make_repeats
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject


def choose_measured_call(subject: Subject, examples: ExampleSet, seed: int) -> tuple[Call, int | None]:
    """The first example, or random tokens that repeat, with the period of the repeats."""
    call, period = (None, None) if examples.given else _make_repeats(subject, seed)
    if call is None:
        return (examples.calls[0] if examples.given else subject.make_call(seed=seed)), None
    return call, period
