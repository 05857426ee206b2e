"""Random inputs for an analysis that counts rows: several to a call, so that many cost little."""

from __future__ import annotations

from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.read_examples import count_rows, find_drawn_length
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject

# What a pass costs whatever its rows are, such as rounding all weights, is paid once for so many.
_MOST_ROWS_OF_CALL = 16


def draw_rows(subject: Subject, rows: int, seed: int) -> ExampleSet:
    """At least `rows` rows of the model's default length, at most 64, in calls of up to 16; one to a call
    where the model has no batch axis.
    """
    plan = subject.inputs
    length = find_drawn_length(subject)
    batch = min(rows, _MOST_ROWS_OF_CALL) if plan.has_batch else None
    calls: list[Call] = []
    drawn = 0
    while drawn < rows:
        call = subject.make_call(batch=batch, length=length, seed=seed + len(calls))
        calls.append(call)
        drawn += count_rows(subject, call)
    return ExampleSet(tuple(calls), tuple(count_rows(subject, call) for call in calls))


def describe_rows(examples: ExampleSet, measured: int) -> str:
    """In words: `16 random rows`, `8 of 100 rows of 100 texts`, or as the examples describe themselves."""
    total = sum(examples.rows)
    if examples.given and measured == total == len(examples):
        return examples.describe()
    if not examples.given:
        return f"{measured} random rows"
    rows = f"{measured} rows" if measured == total else f"{measured} of {total} rows"
    return f"{rows} of {examples.describe()}"
