"""Measure how few tokens turn a model's answers, led by gradients and at random with equal forward passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any

import torch

from tierproof.analysis.adversarial.adversarial_figures import (
    RANDOM,
    SEARCHES,
    AttackedRow,
    ModelAdversarial,
    SearchFigures,
    SearchTrace,
)
from tierproof.analysis.adversarial.class_margin import ClassMargin, NoGradient
from tierproof.analysis.adversarial.round_trip import RoundTrip
from tierproof.analysis.adversarial.token_proposals import Playground
from tierproof.analysis.adversarial.token_search import SearchState, search_tokens
from tierproof.analysis.answers.answer_form import AnswerForm, choose_form
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.random_rows import describe_rows
from tierproof.analysis.examples.token_text import decode_ids, list_pieces
from tierproof.analysis.intervals.bound_mean import bound_share
from tierproof.analysis.tokens.count_vocabulary import count_vocabulary
from tierproof.analysis.tokens.special_tokens import find_special_tokens, list_plain_tokens
from tierproof.analysis.tokens.token_rows import TokenRows, explain_uneditable, select_row, split_rows
from tierproof.core.time_limit import TimeIsUp
from tierproof.errors import UsageError
from tierproof.model.describe.subject import Subject

DEFAULT_PASSES = 64
DEFAULT_SHARE = 0.3


@dataclass
class _Run:
    """What the rows are searched with."""

    subject: Subject
    form: AnswerForm
    tokenizer: Any
    special: frozenset[int]
    plain: list[int]
    budget: int
    share: float
    seed: int
    rows: list[AttackedRow] = field(default_factory=list)
    traces: dict[str, list[SearchTrace]] = field(default_factory=dict)
    wrong: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)
    no_gradient: str = ""
    complete: bool = True


def measure_adversarial(
    subject: Subject,
    examples: ExampleSet,
    *,
    passes: int = DEFAULT_PASSES,
    most_changed: float = DEFAULT_SHARE,
    answer: str | None = None,
    most_rows: int | None = None,
    seed: int = 0,
    keep_interrupted: bool = False,
) -> ModelAdversarial:
    """Search each row for tokens that turn its answer: away from its label, or from the model's own answer.

    The model is put into evaluation mode; parameters and their gradients are left as they are. A time limit
    (`core.time_limit`) that passes ends the searches; what was found until then is given.

    Args:
        passes: forward passes for each search on each row; forward and backward together count as three.
        most_changed: the share of a row's editable tokens that may be changed, at least one.
        answer: `class` or `vector`, where a row's pooled output may be either.
        most_rows: further rows are left out.
        keep_interrupted: whether Ctrl-C, too, ends the searches with the rows that are finished, if any are.

    Raises:
        UsageError: the model reads no tokens, or its answer is no class.
    """
    if reason := explain_uneditable(subject):
        raise UsageError(reason, hint="Adversarial tokens need a model that reads token ids.")
    subject.model.eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        first = subject.answer(examples.calls[0])
    vocabulary = count_vocabulary(subject, examples.calls[0])
    asked = answer or ("class" if examples.labels is not None else None)
    form = choose_form(subject, first, vocabulary=vocabulary, asked=asked)
    if form.name == "vector" or form.classes is None:
        raise UsageError(
            "the model's answer is a vector, not scores of classes",
            hint="Pass a model with a classification or language-model head.",
        )
    special = find_special_tokens(subject, examples.tokenizer)
    plain = list_plain_tokens(vocabulary, special)
    if len(plain) < 2:
        raise UsageError(
            "the model knows fewer than two ids that are not special tokens",
            hint="Adversarial tokens need other tokens to choose from.",
        )
    run = _Run(subject, form, examples.tokenizer, special, plain, passes, most_changed, seed)
    try:
        _search_all(run, examples, most_rows)
    except TimeIsUp:
        run.complete = False
    except KeyboardInterrupt:
        if not (keep_interrupted and run.rows):
            raise
        run.complete = False
    return _summarise(run, examples)


def _search_all(run: _Run, examples: ExampleSet, most_rows: int | None) -> None:
    keep_last = run.form.name == "next token" and not run.subject.traits.encoder_decoder
    number = -1
    for place, call in enumerate(examples.calls):
        labels = examples.labels_of(place)
        for rows in split_rows(run.subject, call, run.special, keep_last=keep_last):
            for row, own in enumerate(rows.numbers):
                number += 1
                if most_rows is not None and number >= most_rows:
                    return
                label = labels[own] if labels is not None else None
                _search_row(run, rows, row, number, label)
                if not run.complete:
                    return


def _search_row(run: _Run, rows: TokenRows, row: int, number: int, label: int | None) -> None:
    subject = run.subject
    ids, editable = rows.ids[row], rows.editable[row].clone()
    asked = _choose_position(run, len(ids))
    if asked is not None and run.form.name == "class at each position":
        editable[asked] = False  # its own token is the question
    positions = tuple(editable.nonzero().flatten().tolist())
    if not positions:
        run.skipped.append((number, "it has no token that may be changed"))
        return
    call = select_row(subject, rows.call, row) if len(rows.ids) > 1 else rows.call
    margin = ClassMargin(subject, run.form, call, asked, run.seed)
    scores = margin.read_scores(ids[None])
    if not bool((~scores.isnan() & (scores != float("inf"))).all()):
        run.skipped.append((number, "the output is not finite (see T1-STAB)"))
        return
    predicted = int(scores.argmax())
    if label is not None and not 0 <= label < scores.shape[-1]:
        raise UsageError(
            f"the label {label} is none of the model's {scores.shape[-1]} classes",
            hint="Pass class numbers from 0.",
        )
    if label is not None and label != predicted:
        run.wrong += 1
        return
    margin.wanted = predicted
    start = float(margin.subtract(scores)[0])
    top = scores.softmax(dim=-1).topk(2).values[0]
    run.rows.append(
        AttackedRow(
            number, start, float(top[0] - top[1]), predicted, len(positions), _decode(run, ids.tolist())
        )
    )
    ground = Playground(
        ids,
        positions,
        torch.tensor(run.plain, device=ids.device),
        max(1, round(run.share * len(positions))),
        RoundTrip(run.tokenizer, run.special, ids.tolist()),
    )
    _search_each(run, margin, ground, number, start)


def _search_each(run: _Run, margin: ClassMargin, ground: Playground, number: int, start: float) -> None:
    for name in SEARCHES:
        if run.no_gradient and name != RANDOM:
            continue
        try:
            state = search_tokens(name, margin, ground, start, run.budget, run.seed + 101 * number)
        except NoGradient as error:
            run.no_gradient = str(error)
            continue
        run.traces.setdefault(name, []).append(_trace(run, state, margin, ground, number))
        if state.timed_out:
            run.complete = False
            return


def _trace(
    run: _Run, state: SearchState, margin: ClassMargin, ground: Playground, number: int
) -> SearchTrace:
    ids = [int(each) for each in state.ids.tolist()]
    return SearchTrace(
        number,
        margin.count.spent,
        tuple(state.steps),
        tuple(ids),
        tuple((state.ids != ground.original).nonzero().flatten().tolist()),
        _decode(run, ids),
        list_pieces(run.tokenizer, ids) if run.tokenizer is not None else (),
        state.reason,
    )


def _choose_position(run: _Run, length: int) -> int | None:
    """Where the answer is asked: at the end of a decoder, in the middle of an encoder."""
    if not run.form.per_position:
        return None
    if run.form.name == "next token":
        return -1
    return length // 2


def _decode(run: _Run, ids: list[int]) -> str:
    if run.tokenizer is None:
        return ""
    try:
        return decode_ids(run.tokenizer, ids) or ""
    except (ValueError, LookupError, OverflowError, TypeError):
        return ""  # ids that this tokenizer does not know


def _summarise(run: _Run, examples: ExampleSet) -> ModelAdversarial:
    margins = {row.row: row.margin for row in run.rows}
    seen = len(run.rows) + run.wrong + len(run.skipped)
    return ModelAdversarial(
        model=type(run.subject.model).__name__,
        inputs=describe_rows(examples, seen),
        answer=run.form.name,
        reference="the model's own answers" if examples.labels is None else "labels",
        budget=run.budget,
        most_tokens=run.share,
        rows=tuple(run.rows),
        searches=tuple(_figure(name, run.traces[name], margins) for name in SEARCHES if run.traces.get(name)),
        wrong=run.wrong,
        not_searched=tuple(run.skipped),
        no_gradient=run.no_gradient,
        round_trip=run.tokenizer is not None,
        complete=run.complete,
        assumed=run.form.assumed,
        seed=run.seed,
    )


def _figure(name: str, traces: list[SearchTrace], margins: dict[int, float]) -> SearchFigures:
    turned = [step for trace in traces if (step := trace.turned) is not None]
    lost = []
    for trace in traces:
        start, end = margins[trace.row], trace.smallest_margin
        lost.append(
            1.0 if start <= 0 else min(1.0, (start - min(end if end is not None else start, start)) / start)
        )
    return SearchFigures(
        name,
        bound_share(len(turned), len(traces)),
        float(median(step.changed for step in turned)) if turned else None,
        fmean(lost),
        _rise([step.passes for step in turned], len(traces)),
        _rise([step.changed for step in turned], len(traces)),
        tuple(traces),
    )


def _rise(prices: list[int], count: int) -> tuple[tuple[int, float], ...]:
    """The share of rows that were turned at each price or below it."""
    return tuple((price, sum(each <= price for each in prices) / count) for price in sorted(set(prices)))
