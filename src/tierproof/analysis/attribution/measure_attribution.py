"""Attribute the answers of a model on examples, one after the other, and keep what is finished."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tierproof.analysis.attribution.attribute_row import (
    AttributionOptions,
    CannotAttributeError,
    RowScores,
    attribute_row,
    open_row,
)
from tierproof.analysis.attribution.attribution_figures import (
    INTEGRATED,
    METHODS,
    ExampleAttribution,
    ModelAttribution,
)
from tierproof.analysis.attribution.attribution_target import refuse_target
from tierproof.analysis.attribution.example_rows import ExampleRow, count_all_rows, iterate_rows
from tierproof.analysis.attribution.gradient_scores import load_captum
from tierproof.analysis.attribution.model_refusal import explain_refusal
from tierproof.analysis.attribution.path_input import refuse_baseline
from tierproof.analysis.attribution.scored_model import ScoredModel, without_weight_gradients
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.core.time_limit import TimeIsUp
from tierproof.errors import BrokenPackageError, MissingPackageError, UsageError
from tierproof.model.describe.subject import Subject

Tell = Callable[[int, int, str], None]


def measure_attribution(
    subject: Subject,
    examples: ExampleSet,
    options: AttributionOptions,
    *,
    most_examples: int | None = None,
    tell: Tell = lambda _done, _total, _words: None,
    keep_interrupted: bool = False,
) -> ModelAttribution:
    """Attribute every example in evaluation mode.

    Where captum is absent or broken, the other methods run, and `left_out` says why it does not. When the time limit
    passes, what is finished is kept, and `stopped` says so.

    Args:
        subject: the model and how to call it.
        examples: what to attribute; a batch counts by its rows.
        options: target, baseline and limits.
        most_examples: rows that are looked at; None for all.
        tell: called with (examples done, examples, what is under way).
        keep_interrupted: whether Ctrl-C, too, ends the work with what is finished, if anything is.

    Raises:
        UsageError: the target, the baseline or a method cannot be used.
    """
    refuse_target(options.target)
    refuse_baseline(options.baseline)
    _refuse_methods(options.methods)
    subject.model.eval()
    captum, left_out = _find_captum(options)
    total = min(count_all_rows(examples), most_examples or count_all_rows(examples))
    run = _Run(subject, options, captum, tell, total)
    stopped = ""
    try:
        with without_weight_gradients(subject.model):
            run.attribute_all(examples)
    except (TimeIsUp, KeyboardInterrupt) as error:
        run.keep_unfinished()
        interrupted = isinstance(error, KeyboardInterrupt)
        if interrupted and not (keep_interrupted and run.finished):
            raise
        cause = "it was interrupted" if interrupted else "the time was up"
        stopped = f"{cause}: {len(run.finished)} of {total} examples have scores"
    return ModelAttribution(
        model=type(subject.model).__name__,
        inputs=examples.describe(),
        examples=tuple(run.finished),
        left_out=left_out,
        skipped=run.skipped,
        stopped=stopped,
    )


class _Run:
    """What is finished so far, and the example that is under way."""

    def __init__(
        self, subject: Subject, options: AttributionOptions, captum: Any, tell: Tell, total: int
    ) -> None:
        self._subject, self._options, self._captum = subject, options, captum
        self._tell, self._total = tell, total
        self._opened: RowScores | None = None
        self.finished: list[ExampleAttribution] = []
        self.skipped: dict[int, str] = {}

    def attribute_all(self, examples: ExampleSet) -> None:
        for row in iterate_rows(self._subject, examples):
            if row.number >= self._total:
                break
            try:
                self._opened, scored = _open(self._subject, row, self._options)
            except CannotAttributeError as error:
                self.skipped[row.number] = str(error)
                continue
            tell = _name_row(self._tell, row.number, self._total)
            attribute_row(self._opened, scored, self._options, self._captum, tell)
            self.finished.append(self._opened.freeze())
            self._opened = None
        self._tell(self._total, self._total, "")

    def keep_unfinished(self) -> None:
        """Count the example that is under way, if a method has finished it."""
        if self._opened is not None and self._opened.scores:
            self.finished.append(self._opened.freeze())
        self._opened = None


def _open(subject: Subject, row: ExampleRow, options: AttributionOptions) -> tuple[RowScores, ScoredModel]:
    torch.manual_seed(options.seed)
    try:
        return open_row(subject, row, options)
    except (UsageError, CannotAttributeError):
        raise
    except Exception as error:
        raise CannotAttributeError(explain_refusal(error)) from error


def _refuse_methods(methods: tuple[str, ...]) -> None:
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        raise UsageError(
            f"unknown method {unknown[0]!r}" if unknown else "no method was chosen",
            hint=f"Choose among {', '.join(METHODS)}.",
        )


def _find_captum(options: AttributionOptions) -> tuple[Any, dict[str, str]]:
    """captum's methods; None, with the reason, where it is absent or broken and other methods are left.

    Raises:
        MissingPackageError, BrokenPackageError: nothing but integrated gradients was asked for.
    """
    if INTEGRATED not in options.methods:
        return None, {}
    try:
        return load_captum(), {}
    except (MissingPackageError, BrokenPackageError) as error:
        if len(options.methods) == 1:
            raise
        how = f" Install it with:  {error.command}" if isinstance(error, MissingPackageError) else ""
        return None, {INTEGRATED: f"{error.message}{how}"}


def _name_row(tell: Tell, number: int, total: int) -> Callable[[str], None]:
    return lambda words: tell(number, total, f"example {number + 1} of {total}: {words}")
