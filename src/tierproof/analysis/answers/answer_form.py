"""Decide what a model's answer is: scores of classes, once for a row or at each position, or a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NoReturn

from torch import Tensor

from tierproof.errors import UsageError
from tierproof.model.describe.subject import Subject

FormName = Literal["class", "next token", "class at each position", "vector"]

# Fields of these names hold representations, not scores; a bare pooled tensor is taken for scores.
_VECTOR_NAMES = ("embed", "pool", "hidden", "feature", "state")


@dataclass(frozen=True)
class AnswerForm:
    """What the answer of one row is.

    Attributes:
        name: `class` (one for a row), `next token` (a class at each position, asked at the last), `class at each
            position`, or `vector`.
        classes: how many; None for a vector.
        assumed: why it is an assumption, in words; empty where the model tells.
    """

    name: FormName
    classes: int | None = None
    assumed: str = ""

    @property
    def per_position(self) -> bool:
        """Whether there is an answer at each position."""
        return self.name in ("next token", "class at each position")


def choose_form(
    subject: Subject, answer: Tensor, *, vocabulary: int | None = None, asked: str | None = None
) -> AnswerForm:
    """The form of a subject's answer.

    Args:
        answer: the output of one call, as the model returns it.
        vocabulary: how many token ids the model knows; an output of this width at each position is scores of them.
        asked: `class` or `vector`, where the user says what a row's pooled output is.

    Raises:
        UsageError: classes are asked of an output that cannot hold their scores.
    """
    if asked == "vector":
        return AnswerForm("vector")
    outputs = subject.outputs
    width = int(answer.shape[-1]) if answer.dim() else 1
    scores = not answer.is_complex() and width > 1
    batched = outputs.batch_axis is not None
    if not batched and subject.inputs.has_batch:
        return _refuse_class(answer) if asked == "class" else AnswerForm("vector")
    at_positions = (
        outputs.per_position
        and answer.dim() == 2 + batched
        and answer.dim() - 1 not in (outputs.length_axis, outputs.batch_axis)
    )
    for_rows = not outputs.per_position and answer.dim() == 1 + batched
    if asked == "class" and not (scores and (at_positions or for_rows)):
        return _refuse_class(answer)
    is_logits = outputs.role == "logits" or asked == "class" or (at_positions and width == vocabulary)
    if scores and at_positions and is_logits:
        return AnswerForm("next token" if _is_causal(subject) else "class at each position", width)
    if scores and for_rows and is_logits:
        return AnswerForm("class", width)
    if scores and for_rows and not _looks_like_vector(outputs.main, answer):
        return AnswerForm(
            "class", width, f"the output of shape [rows, {width}] was taken for scores of classes"
        )
    return AnswerForm("vector")


def _refuse_class(answer: Tensor) -> NoReturn:
    raise UsageError(
        f"the output has the shape {list(answer.shape)}, which does not hold one score for each class",
        hint="Pass a model that returns scores of shape [rows, classes] or [rows, positions, classes].",
    )


def _is_causal(subject: Subject) -> bool:
    traits = subject.traits
    declared = traits.causal_declared if traits.causal_declared is not None else traits.causal_measured
    return bool(declared) or traits.encoder_decoder


def _looks_like_vector(path: str, answer: Tensor) -> bool:
    """Whether the output's name says a representation, or all its rows are of length one."""
    if any(word in path.lower() for word in _VECTOR_NAMES):
        return True
    norms = answer.detach().float().norm(dim=-1)
    return bool(((norms - 1).abs() < 1e-3).all())
