"""The calls that the attention of a model is measured on."""

from __future__ import annotations

from collections.abc import Iterator

from tierproof.analysis.attention.measure_attention import list_repeats
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject


def list_measured_calls(
    subject: Subject, examples: ExampleSet, seed: int
) -> Iterator[tuple[Call, int | None]]:
    """The first of them that the model takes is the one: tokens that repeat, with their period, or an example."""
    if not examples.given:
        yield from list_repeats(subject, seed)
    yield examples.calls[0], None
