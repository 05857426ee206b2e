"""Attribute one example by every method, the cheap ones first, and keep what is finished when time runs out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from tierproof.analysis.attribution.ablate_pieces import ablate_pieces
from tierproof.analysis.attribution.attribution_figures import (
    ABLATION,
    GRADIENT,
    INTEGRATED,
    METHODS,
    CostForecast,
    ExampleAttribution,
    PartScores,
    PathIntegral,
)
from tierproof.analysis.attribution.attribution_target import (
    AnswerPlaces,
    AttributionTarget,
    GivenTarget,
    choose_target,
)
from tierproof.analysis.attribution.example_rows import ExampleRow, find_kept
from tierproof.analysis.attribution.forecast_cost import forecast_cost
from tierproof.analysis.attribution.gradient_scores import (
    count_points,
    integrate_gradients,
    limit_steps,
    multiply_gradient,
    sum_pieces,
)
from tierproof.analysis.attribution.input_picture import draw_picture
from tierproof.analysis.attribution.model_refusal import explain_refusal
from tierproof.analysis.attribution.path_input import GivenBaseline, PathInput
from tierproof.analysis.attribution.rank_agreement import correlate_ranks
from tierproof.analysis.attribution.regular_start import open_inputs
from tierproof.analysis.attribution.scored_model import Points, ScoredModel
from tierproof.model.describe.subject import Subject

# Without a forecast of memory: enough rows to be quick, few enough to be small.
_ROWS_AT_ONCE = 8


class CannotAttributeError(Exception):
    """This example has nothing that scores could be given to; the message says why."""


@dataclass(frozen=True)
class AttributionOptions:
    """How to attribute.

    Attributes:
        target: a class, (position, class), a function of the answer, or None for the predicted class.
        baseline: a word, a token id or a value; None for one that fits the input.
        methods: of `METHODS`.
        most_steps: of one path integral.
        most_pieces: that one input is cut into.
        most_s: seconds that the path of one example may take by the forecast: it gets fewer steps then. None for no
            limit.
        seed: of what the model draws.
        special: ids of tokens that the baseline keeps.
        mask_token: id of the token that an encoder is to fill in; None where it has none.
    """

    target: GivenTarget = None
    baseline: GivenBaseline = None
    methods: tuple[str, ...] = METHODS
    most_steps: int = 320
    most_pieces: int = 256
    most_s: float | None = None
    seed: int = 0
    special: frozenset[int] = frozenset()
    mask_token: int | None = None


@dataclass
class RowScores:
    """What is known of one example so far; `freeze` makes a result of it at any moment."""

    row: ExampleRow
    inputs: tuple[PathInput, ...]
    target: AttributionTarget
    score: float
    baseline_score: float
    scores: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    path: PathIntegral | None = None
    gradient_finite: bool | None = None
    left_out: dict[str, str] = field(default_factory=dict)
    forecast: CostForecast | None = None

    def freeze(self) -> ExampleAttribution:
        """The result as far as it goes."""
        parts = []
        for argument in dict.fromkeys(each.argument.name for each in self.inputs):
            first = next(each for each in self.inputs if each.argument.name == argument)
            parts.append(
                PartScores(
                    name=argument,
                    kind=first.argument.role,
                    pieces=first.units.pieces,
                    kept=first.kept,
                    grid=first.units.grid,
                    scores={m: tuple(by[argument]) for m, by in self.scores.items() if argument in by},
                    picture=draw_picture(first.value, first.units, first.batch_axis),
                )
            )
        words = dict.fromkeys(each.words for each in self.inputs)
        example = ExampleAttribution(
            number=self.row.number,
            target=self.target.words,
            baseline="; ".join(words),
            score=self.score,
            baseline_score=self.baseline_score,
            parts=tuple(parts),
            path=self.path,
            gradient_finite=self.gradient_finite,
            left_out=dict(self.left_out),
            forecast=self.forecast,
        )
        return replace(example, agreement=_compare_methods(example))


def _compare_methods(example: ExampleAttribution) -> dict[str, float | None]:
    scores = {method: list(example.iterate_scores(method)) for method in example.methods}
    return {
        f"{one}~{other}": correlate_ranks(scores[one], scores[other])
        for one, other in combinations(scores, 2)
        if len(scores[one]) == len(scores[other])
    }


def open_row(subject: Subject, row: ExampleRow, options: AttributionOptions) -> tuple[RowScores, ScoredModel]:
    """Choose what is scored, the baseline and the target of one example.

    Raises:
        CannotAttributeError: all of it is padding, or it has no input that scores could be given to.
        UsageError: the target or the baseline does not fit this model.
    """
    inputs = open_inputs(subject, row, options.baseline, options.most_pieces, options.special, options.seed)
    if not inputs:
        raise CannotAttributeError(
            "the model reads neither tokens nor images, audio or other real numbers here"
        )
    if not any(any(each.kept) for each in inputs):
        raise CannotAttributeError("all of its positions are padding")
    if all(torch.equal(each.value, each.baseline) for each in inputs):
        raise CannotAttributeError("it equals the baseline; pass another `baseline`")
    scored = ScoredModel(subject, row, inputs, options.seed)
    at_input, at_baseline = scored.ends
    with torch.no_grad():
        answer, blank = scored.answer(at_input), scored.answer(at_baseline)
        if not bool(answer.isfinite().any()):
            raise CannotAttributeError("the model's answer is NaN or infinite")
        places = _find_places(subject, row, options, inputs)
        target = choose_target(subject, options.target, answer, blank, places)
        scored.aim(target)
        score, baseline_score = (float(scored.score(end)) for end in (at_input, at_baseline))
    if not math.isfinite(score):
        raise CannotAttributeError("the model's answer is NaN or infinite")
    return RowScores(row, inputs, target, score, baseline_score), scored


def _find_places(
    subject: Subject, row: ExampleRow, options: AttributionOptions, inputs: tuple[PathInput, ...]
) -> AnswerPlaces:
    """The last position of the answer that is no padding, and the one that an encoder is asked about."""
    vocabularies = frozenset(each.rows for each in inputs if each.rows)
    plan = subject.inputs
    name = plan.primary
    if subject.traits.encoder_decoder:
        targets = [a.name for a in plan.arguments if a.role == "tokens" and a.name != plan.primary]
        name = next((each for each in targets if each in row.call.tensors), name)
    argument, tensor = plan.argument(name), row.call.tensors.get(name)
    if tensor is None:
        return AnswerPlaces(0, 0, vocabularies)
    length = tensor.numel() if argument.role == "tokens" else tensor.shape[-1]
    kept = find_kept(subject, row, argument)
    last = int(kept.nonzero().max()) if kept is not None and bool(kept.any()) else length - 1
    if options.mask_token is None:
        return AnswerPlaces(last, 0, vocabularies)
    masked = (tensor.flatten() == options.mask_token).nonzero()
    return AnswerPlaces(last, int(masked[0]) if masked.numel() else 0, vocabularies)


def attribute_row(
    opened: RowScores,
    scored: ScoredModel,
    options: AttributionOptions,
    captum: Any,
    tell: Callable[[str], None],
) -> None:
    """Fill the scores of one example in, method by method.

    A method that the model refuses is left out with the reason; what ends the work passes through, and what was
    finished before stays.
    """
    smooth = tuple(each for each in opened.inputs if each.differentiable)
    path = scored
    if smooth and len(smooth) < len(opened.inputs):
        path = ScoredModel(scored.subject, scored.row, smooth, options.seed)
        path.aim(opened.target)
    wanted = [method for method in options.methods if method != INTEGRATED or captum is not None]
    if not smooth:
        for method in set(wanted) - {ABLATION}:
            opened.left_out[method] = (
                "the ids are looked up in no table that could be seen, so nothing has a gradient"
            )
        wanted = [method for method in wanted if method == ABLATION]
    if GRADIENT in wanted:
        with _reporting(opened, GRADIENT):
            _add_gradient(opened, path)
    if ABLATION in wanted:
        with _reporting(opened, ABLATION):
            rows = _ROWS_AT_ONCE if scored.together else 1
            opened.scores[ABLATION] = ablate_pieces(scored, chunk=rows, tell=tell)
    if INTEGRATED in wanted and GRADIENT in opened.left_out:
        opened.left_out[INTEGRATED] = opened.left_out[GRADIENT]
    elif INTEGRATED in wanted:
        with _reporting(opened, INTEGRATED):
            _add_integral(opened, path, options, captum, tell)


@contextmanager
def _reporting(opened: RowScores, method: str) -> Iterator[None]:
    """Notes why a method has no scores where the model raises; nothing else is swallowed."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - reported with the example, beside the methods that worked
        opened.left_out[method] = explain_refusal(error)


def _gather(inputs: tuple[PathInput, ...], values: Points) -> dict[str, list[float]]:
    """The scores of pieces by argument; an argument that is looked up in several tables has their sum."""
    found: dict[str, list[float]] = {}
    for each, value in zip(inputs, values, strict=True):
        sums = sum_pieces(value, each.numbers, len(each.units.pieces))
        before = found.get(each.argument.name)
        found[each.argument.name] = (
            sums if before is None else [a + b for a, b in zip(before, sums, strict=True)]
        )
    return found


def _add_gradient(opened: RowScores, path: ScoredModel) -> None:
    values = multiply_gradient(path)
    opened.gradient_finite = all(bool(value.isfinite().all()) for value in values)
    opened.scores[GRADIENT] = _gather(path.inputs, values)


def _add_integral(
    opened: RowScores,
    path: ScoredModel,
    options: AttributionOptions,
    captum: Any,
    tell: Callable[[str], None],
) -> None:
    tell("forecast")
    forecast = forecast_cost(
        path,
        _find_length(path),
        lambda length: _open_shorter(path, options, length),
        count_points(options.most_steps),
    )
    most_steps = options.most_steps
    if options.most_s is not None:
        most_steps = limit_steps(most_steps, forecast.point_s, options.most_s)
        least, most = count_points(most_steps)
        forecast = replace(forecast, least_points=least, most_points=most)
    opened.forecast = forecast
    free = forecast.free_bytes
    if free is not None and forecast.peak_bytes > free:
        opened.left_out[INTEGRATED] = (
            f"one pass would take about {forecast.peak_bytes / 1e6:.0f} MB, and {free / 1e6:.0f} MB are free; "
            "pass a shorter example"
        )
        return
    said = forecast.describe()

    def gather(values: Points) -> list[float]:
        return [score for scores in _gather(path.inputs, values).values() for score in scores]

    integrated = integrate_gradients(
        captum,
        path,
        gather,
        chunk=forecast.chunk,
        most_steps=most_steps,
        tell=lambda words: tell(f"{words}, {said}"),
    )
    opened.path = integrated.path
    opened.scores[INTEGRATED] = _gather(path.inputs, integrated.values)


def _find_length(path: ScoredModel) -> int | None:
    plan = path.subject.inputs
    tensor: Tensor | None = path.row.call.tensors.get(plan.primary)
    return int(tensor.shape[plan.length_axis]) if plan.has_length and tensor is not None else None


def _open_shorter(path: ScoredModel, options: AttributionOptions, length: int) -> ScoredModel | None:
    """The model at a random input of another length; None where it takes none."""
    subject = path.subject
    plan = subject.inputs
    if plan.clip_length(length) != length:
        return None
    call = subject.make_call(batch=1 if plan.has_batch else None, length=length, seed=options.seed)
    try:
        opened, scored = open_row(subject, ExampleRow(0, call), replace(options, target=None))
    except Exception:  # noqa: BLE001 - this length is refused, so the cost is measured at the example's own
        return None
    smooth = tuple(each for each in opened.inputs if each.differentiable)
    if len(smooth) == len(opened.inputs):
        return scored
    shorter = ScoredModel(subject, scored.row, smooth, options.seed)
    shorter.aim(opened.target)
    return shorter
