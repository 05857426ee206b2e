"""The rows of the examples, in groups that one forward pass takes."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.analysis.answers.answer_form import AnswerForm
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.tokens.special_tokens import find_special_tokens
from tierproof.analysis.tokens.token_rows import TokenRows, explain_uneditable, split_rows
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject


@dataclass(frozen=True)
class RobustnessCase:
    """Rows that run together.

    Attributes:
        call: of them.
        count: how many.
        tokens: the rows as editable ids; None where the input cannot be edited token by token.
        labels: of the rows; None where there are none.
        text: what the one row was made of; empty where it was no text.
    """

    call: Call
    count: int
    tokens: TokenRows | None = None
    labels: tuple[int, ...] | None = None
    text: str = ""


def make_cases(subject: Subject, examples: ExampleSet, form: AnswerForm) -> tuple[list[RobustnessCase], str]:
    """The examples as cases, and why they cannot be edited token by token (empty where they can).

    Of a decoder, the last token stays as it is in every edit: there the next one is asked for.
    """
    refused = explain_uneditable(subject)
    special = find_special_tokens(subject, examples.tokenizer)
    keep_last = form.name == "next token" and not subject.traits.encoder_decoder
    cases = []
    for number, call in enumerate(examples.calls):
        labels = examples.labels_of(number)
        text = examples.texts[number] if examples.texts else ""
        if refused:
            cases.append(RobustnessCase(call, examples.rows[number], None, labels))
            continue
        for rows in split_rows(subject, call, special, keep_last=keep_last):
            own = None if labels is None else tuple(labels[row] for row in rows.numbers)
            cases.append(RobustnessCase(rows.call, len(rows.numbers), rows, own, text))
    return cases, refused


def limit_rows(cases: list[RobustnessCase], most: int | None) -> list[RobustnessCase]:
    """The first cases with at most so many rows together, and at least one case."""
    if most is None:
        return cases
    kept: list[RobustnessCase] = []
    rows = 0
    for case in cases:
        if kept and rows + case.count > most:
            break
        kept.append(case)
        rows += case.count
    return kept
