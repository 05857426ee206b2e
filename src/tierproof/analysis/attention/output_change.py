"""How far what a model returns moves from what it returned at first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tierproof.analysis.answers.answer_form import AnswerForm, choose_form
from tierproof.analysis.answers.read_rows import read_rows
from tierproof.analysis.tokens.count_vocabulary import count_vocabulary
from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject


@dataclass(frozen=True)
class OutputChange:
    """Two measures of a change.

    Attributes:
        relative: norm of the change of all floating-point outputs over their norm.
        divergence_nats: Kullback–Leibler divergence of the new distribution over classes from the old one, as a mean
            over rows and positions; None where the answer is no scores of classes.
    """

    relative: float
    divergence_nats: float | None


@dataclass(frozen=True, eq=False)
class PlainOutputs:
    """What the model returned at first.

    Attributes:
        subject: the model.
        numbers: all floating-point outputs, as one vector.
        form: what the answer is.
        logs: logarithms of the probabilities, [rows, positions, classes]; None where there are none.
    """

    subject: Subject
    numbers: Tensor
    form: AnswerForm
    logs: Tensor | None

    def compare(self, returned: Any) -> OutputChange | None:
        """How far another output lies; None where it has another size, or the first was all zeros."""
        numbers, size = _flatten(returned), float(self.numbers.norm())
        if numbers.shape != self.numbers.shape or not size:
            return None
        return OutputChange(float((numbers - self.numbers).norm()) / size, self._diverge(returned))

    def _diverge(self, returned: Any) -> float | None:
        if self.logs is None:
            return None
        logs = _read_logs(self.subject, self.form, returned)
        terms = self.logs.exp() * (self.logs - logs)
        # A class that is ruled out has no share.
        mean = float(torch.where(self.logs.isneginf(), 0.0, terms).sum(-1).mean())
        return None if math.isnan(mean) else max(mean, 0.0)  # rounding may pass below zero


def keep_outputs(subject: Subject, call: Call, returned: Any) -> PlainOutputs:
    """Keep what the model returned for a call, to compare with."""
    answer = subject.outputs.select(returned)
    form = choose_form(subject, answer, vocabulary=count_vocabulary(subject, call))
    logs = None if form.classes is None else _read_logs(subject, form, returned)
    return PlainOutputs(subject, _flatten(returned), form, logs)


def _read_logs(subject: Subject, form: AnswerForm, returned: Any) -> Tensor:
    return read_rows(subject, form, subject.outputs.select(returned)).scores.double().log_softmax(-1)


def _flatten(returned: Any) -> Tensor:
    """All floating-point numbers of what a model returned, as one vector; those that are not finite count as zero."""
    found: list[Tensor] = []
    _collect(returned, found)
    if not found:
        return torch.zeros(0)
    return torch.cat([each.detach().flatten().double().nan_to_num(0.0, 0.0, 0.0) for each in found])


def _collect(value: Any, found: list[Tensor]) -> None:
    if isinstance(value, Tensor):
        if value.is_floating_point():
            found.append(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            _collect(each, found)
    elif isinstance(value, list | tuple):
        for each in value:
            _collect(each, found)
