"""Bring a model's answer to one layout: rows, positions, scores."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.analysis.answers.answer_form import AnswerForm
from tierproof.model.describe.subject import Subject

# A vector longer than this (a segmentation map) is compared at values chosen from a fixed seed.
_WIDEST_VECTOR = 4096


@dataclass(frozen=True)
class RowAnswers:
    """The answers of the rows of one call, in float32 on the CPU's or the model's device.

    Attributes:
        scores: [rows, positions, classes]; one position for a class, and for a vector its values as classes.
        has_positions: whether the positions are those of the input or the target.
    """

    scores: Tensor
    has_positions: bool

    def is_finite(self, row: int) -> bool:
        """Whether no value of a row is NaN or +inf, and some at each position are finite; -inf rules a class out."""
        scores = self.scores[row]
        bad = scores.isnan() | (scores == float("inf"))
        return not bool(bad.any()) and bool(scores.isfinite().any(dim=-1).all())


def read_rows(subject: Subject, form: AnswerForm, answer: Tensor) -> RowAnswers:
    """The answer as rows × positions × scores; a vector keeps its positions so that they can be left out of a mean."""
    outputs = subject.outputs
    values = torch.view_as_real(answer).flatten(-2) if answer.is_complex() else answer
    values = values.detach().float()
    batch = outputs.batch_axis
    if batch is None or batch >= values.dim():
        values = values.unsqueeze(0)
        axis = outputs.length_axis + 1 if outputs.per_position else None
    else:
        values = values.movedim(batch, 0)
        axis = outputs.length_axis + (outputs.length_axis < batch) if outputs.per_position else None
    if form.name == "class" or axis is None or axis >= values.dim():
        return RowAnswers(_thin(values.flatten(1), form)[:, None], False)
    values = values.movedim(axis, 1)
    flat = values.flatten(2) if values.dim() > 2 else values[..., None]
    return RowAnswers(_thin(flat, form), True)


def _thin(values: Tensor, form: AnswerForm) -> Tensor:
    if form.name != "vector" or values.shape[-1] <= _WIDEST_VECTOR:
        return values
    width = values.shape[-1]
    chosen = torch.randperm(width, generator=torch.Generator().manual_seed(0), device="cpu")[:_WIDEST_VECTOR]
    return values[..., chosen.sort().values.to(values.device)]
