"""Measure how much of a model's answers is left under many perturbations, with intervals and chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tierproof.analysis.answers.answer_form import AnswerForm, choose_form
from tierproof.analysis.answers.read_rows import RowAnswers, read_rows
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.random_rows import describe_rows
from tierproof.analysis.robustness.answer_change import compare_row, read_answer
from tierproof.analysis.robustness.answer_tally import AnswerTally
from tierproof.analysis.robustness.perturb_case import CasePerturber, NotApplicable
from tierproof.analysis.robustness.robustness_case import RobustnessCase, limit_rows, make_cases
from tierproof.analysis.robustness.robustness_figures import ModelRobustness
from tierproof.analysis.robustness.settings import Setting, list_settings
from tierproof.analysis.tokens.count_vocabulary import count_vocabulary
from tierproof.core.time_limit import TimeIsUp
from tierproof.errors import UsageError
from tierproof.model.compare.comparison import find_tolerance, measure_change
from tierproof.model.compare.steady_answer import SteadyAnswers
from tierproof.model.describe.subject import Subject


@dataclass
class _Run:
    """What a measurement goes along with."""

    subject: Subject
    form: AnswerForm
    perturber: CasePerturber
    tally: AnswerTally
    reasons: dict[str, str] = field(default_factory=dict)


def measure_robustness(
    subject: Subject,
    examples: ExampleSet,
    *,
    strengths: Mapping[str, Sequence[float]] | None = None,
    answer: str | None = None,
    most_rows: int | None = None,
    seed: int = 0,
    keep_interrupted: bool = False,
) -> ModelRobustness:
    """Run each example unperturbed, and once under each perturbation at each strength.

    The model is left in evaluation mode, its parameters as they are. A time limit (`core.time_limit`) that passes
    ends the measurement; what was measured until then is given.

    Args:
        strengths: by perturbation, see `settings.list_settings`.
        answer: `class` or `vector`, where a row's pooled output may be either.
        most_rows: further rows are left out.
        keep_interrupted: whether Ctrl-C, too, ends the work with what is finished, if anything is.

    Raises:
        UsageError: the outputs are not finite or random, there is nothing but padding, or labels do not fit.
    """
    first = SteadyAnswers(subject, seed)(examples.calls[0])
    vocabulary = count_vocabulary(subject, examples.calls[0])
    asked = answer or ("class" if examples.labels is not None else None)
    form = choose_form(subject, first, vocabulary=vocabulary, asked=asked)
    _require_labels(form, examples)
    cases, refused = make_cases(subject, examples, form)
    cases = limit_rows(cases, most_rows)
    if not cases:
        raise UsageError(
            "every example is padding alone", hint="Pass examples with at least one visible token."
        )
    keep_end = form.name == "next token" and not subject.traits.encoder_decoder
    perturber = CasePerturber(subject, examples.tokenizer, seed, vocabulary=vocabulary, keep_end=keep_end)
    run = _Run(subject, form, perturber, AnswerTally(form))
    settings = list_settings(
        tokens=not refused,
        texts=bool(examples.texts) and not refused,
        values=subject.inputs.primary_argument.dtype.is_floating_point,
        strengths=strengths,
    )
    complete = True
    try:
        for number, case in enumerate(cases):
            _measure_case(run, number, case, settings)
    except TimeIsUp:
        complete = False
    except KeyboardInterrupt:
        if not (keep_interrupted and run.tally.rows):
            raise
        complete = False
    return _summarise(run, examples, complete, seed)


def _summarise(run: _Run, examples: ExampleSet, complete: bool, seed: int) -> ModelRobustness:
    chance, chance_cosine = run.tally.measure_chance()
    figures = run.tally.figures()
    measured = {(each.name, each.setting) for each in figures}
    return ModelRobustness(
        model=type(run.subject.model).__name__,
        inputs=describe_rows(examples, run.tally.rows),
        answer=run.form.name,
        reference="the model's own answers" if examples.labels is None else "labels",
        rows=run.tally.rows,
        unperturbed=run.tally.measure_unperturbed(),
        chance=chance,
        chance_cosine=chance_cosine,
        median_gap=run.tally.median_gap,
        perturbations=figures,
        not_measured=tuple(
            (name, reason) for name, reason in run.reasons.items() if not _is_measured(name, measured)
        ),
        complete=complete,
        assumed=run.form.assumed,
        seed=seed,
    )


def _is_measured(name: str, measured: set[tuple[str, str]]) -> bool:
    return any(name in (kind, f"{kind} {words}") for kind, words in measured)


def _require_labels(form: AnswerForm, examples: ExampleSet) -> None:
    if examples.labels is None:
        return
    if form.name == "class at each position":
        raise UsageError(
            "labels name one class for each example, but the model gives one at each position",
            hint="Leave the labels out, or pass a model with one answer for each example.",
        )
    wrong = [label for label in examples.labels if not 0 <= label < (form.classes or 0)]
    if wrong:
        raise UsageError(
            f"the label {wrong[0]} is none of the model's {form.classes} classes",
            hint="Pass class numbers from 0.",
        )


def _measure_case(run: _Run, number: int, case: RobustnessCase, settings: Sequence[Setting]) -> None:
    output = run.perturber.answer(case)
    base = read_rows(run.subject, run.form, output)
    if not all(base.is_finite(row) for row in range(len(base.scores))):
        raise UsageError("the output is not finite (see T1-STAB)", hint="Check the model with T1-STAB first.")
    if number == 0:
        again = run.perturber.answer(case, other_seed=True)
        if measure_change(output, again) > find_tolerance(output):
            raise UsageError(
                "equal calls give different outputs in evaluation mode (see T1-STAB)",
                hint="Make the model deterministic in evaluation mode.",
            )
    labels = case.labels or (None,) * len(base.scores)
    rows = [
        run.tally.add_row(read_answer(run.form, base, row), labels[row] if row < len(labels) else None)
        for row in range(len(base.scores))
    ]
    for setting in settings:
        _apply(run, number, case, setting, base, rows)


def _apply(
    run: _Run, number: int, case: RobustnessCase, setting: Setting, base: RowAnswers, rows: list[int]
) -> None:
    try:
        perturbed = run.perturber.perturb(case, number, setting)
        moved = read_rows(run.subject, run.form, perturbed.output)
    except NotApplicable as reason:
        run.reasons.setdefault(_name(setting), str(reason))
        return
    except Exception as error:  # noqa: BLE001 - told: the model refuses this input, and is measured on the others
        run.reasons.setdefault(_name(setting), f"the model raised {type(error).__name__}: {str(error)[:120]}")
        return
    follows = perturbed.origins is not None and "length" in run.subject.outputs.axes
    if not _fits(base.scores, moved.scores):
        run.reasons.setdefault(_name(setting), "the output takes another shape that cannot be compared")
        return
    with torch.no_grad():
        for row, place in enumerate(rows):
            origins = perturbed.origins[row] if follows and perturbed.origins is not None else None
            run.tally.add_change(setting, place, compare_row(run.form, base, moved, row, origins))


def _fits(base: Tensor, moved: Tensor) -> bool:
    return base.shape[0] == moved.shape[0] and base.shape[-1] == moved.shape[-1]


def _name(setting: Setting) -> str:
    """What a reason stands under: settings of one name share theirs, but for precisions and sides."""
    return f"{setting.name} {setting.words}" if setting.name in ("precision", "padding") else setting.name
