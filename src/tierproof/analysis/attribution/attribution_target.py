"""Whose score is attributed: a class, the next token, or how far the whole answer moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tierproof.errors import UsageError
from tierproof.model.describe.subject import Subject

# So few numbers are no features, whatever they were computed from.
_FEW_CLASSES = 10
GivenTarget = int | tuple[int, int] | Callable[[Tensor], Tensor] | None


@dataclass(frozen=True)
class AttributionTarget:
    """One number of an answer.

    Attributes:
        words: what it is.
        read: turns answers, batch first, [rows, …], into one score a row, [rows].
    """

    words: str
    read: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class AnswerPlaces:
    """Where in an answer the score is looked for.

    Attributes:
        last: the last position that is no padding.
        first: the position that an encoder is asked about.
        vocabularies: rows of the tables that the tokens are looked up in.
    """

    last: int
    first: int
    vocabularies: frozenset[int] = frozenset()


def refuse_target(given: Any) -> None:
    """Refuse what cannot be a target at all.

    Raises:
        UsageError: it is neither a class, a pair of a position and a class, nor a function.
    """
    pair = isinstance(given, tuple) and len(given) == 2 and all(_is_count(each) for each in given)
    if not (given is None or _is_count(given) or pair or callable(given)):
        raise UsageError(
            f"the target {given!r} cannot be used",
            hint="Pass a class (an integer), (position, class), or a function from the answer [rows, …] to one score "
            "a row.",
        )


def choose_target(
    subject: Subject, given: GivenTarget, answer: Tensor, blank: Tensor, places: AnswerPlaces
) -> AttributionTarget:
    """The target for one example.

    Args:
        subject: says what the axes of the answer are.
        given: a class, (position, class), a function, or None for the predicted class.
        answer, blank: the answers at the input and at the baseline, batch first, one row each.
        places: where in the answer the score is, if it has positions.

    Raises:
        UsageError: the answer has no such class or position.
    """
    if callable(given):
        return AttributionTarget("the score of the function that was given", given)
    classes = _count_classes(subject, answer, places.vocabularies)
    if classes is None:
        if given is not None:
            raise UsageError(
                f"a class was given as target, but the answer, of shape {list(answer.shape)}, has no axis of classes",
                hint="Leave `target` out, or pass a function from the answer to one score a row.",
            )
        return _follow_movement(subject, answer, blank)
    positions = answer[0].numel() // classes
    decodes = subject.traits.kind in ("causal-lm", "encoder-decoder") or bool(subject.traits.causal_declared)
    position = (min(places.last if decodes else places.first, positions - 1)) if positions > 1 else 0
    number: int | None = None
    if isinstance(given, tuple):
        position, number = given
    elif given is not None:
        number = given
    if not -positions <= position < positions:
        raise UsageError(
            f"the target is at position {position}, but the answer has {positions} positions",
            hint="Pass a position of the answer; negative ones count from the end.",
        )
    if number is not None and not 0 <= number < classes:
        raise UsageError(
            f"the target is class {number}, but the answer has {classes} classes",
            hint=f"Pass a class from 0 to {classes - 1}.",
        )
    position %= positions
    scores = answer[0].reshape(positions, classes)[position]
    chosen = int(scores.nan_to_num(float("-inf")).argmax()) if number is None else number
    words = f"{'predicted ' if number is None else ''}class {chosen}"
    if positions > 1:
        words += f" at position {position}"
    return AttributionTarget(words, lambda found: found.reshape(len(found), -1, classes)[:, position, chosen])


def _count_classes(subject: Subject, answer: Tensor, vocabularies: frozenset[int]) -> int | None:
    """Classes of logits [rows, classes] or [rows, positions, classes]; None where the answer is something else."""
    outputs = subject.outputs
    # Of examples that were given, only the table that ids are looked up in tells how many there are.
    scores = outputs.role == "logits" or (outputs.role == "hidden" and answer.shape[-1] in vocabularies)
    if scores and answer.dim() in (2, 3):
        if answer.dim() == 2 or outputs.per_position or answer.shape[1] == 1:
            return int(answer.shape[-1])
        return None
    # A hand-written classifier: one short row of numbers.
    if outputs.role == "pooled" and answer.dim() == 2 and _is_head(subject, answer.shape[-1]):
        return int(answer.shape[-1])
    return None


def _is_head(subject: Subject, width: int) -> bool:
    """Whether the answer comes out of the last linear layer, and is narrow: scores of classes, not features."""
    linear = [module for module in subject.model.modules() if isinstance(module, torch.nn.Linear)]
    return (
        bool(linear)
        and linear[-1].out_features == width
        and (width <= max(_FEW_CLASSES, linear[-1].in_features // 2))
    )


def _follow_movement(subject: Subject, answer: Tensor, blank: Tensor) -> AttributionTarget:
    """How far the answer moves from that of the baseline, along the way to that of the input.

    The norm of an answer is no target: behind a normalisation it is the same for all inputs.
    """
    pool, words = _choose_pooling(subject, answer)
    way = (pool(answer) - pool(blank)).detach()
    length = way.norm()
    way = way / length if bool(length > 0) else way
    return AttributionTarget(
        f"how far {words} moves from that of the baseline", lambda found: (pool(found) * way).sum(1)
    )


def _choose_pooling(subject: Subject, answer: Tensor) -> tuple[Callable[[Tensor], Tensor], str]:
    outputs = subject.outputs
    if answer.dim() == 3 and outputs.per_position:
        axis = outputs.length_axis if outputs.batch_axis != 1 else 1
        axis = axis if axis in (1, 2) else 1
        if subject.traits.causal_declared or subject.traits.kind == "causal-lm":
            return (lambda found: _flatten(found.select(axis, -1))), "the answer at the last position"
        return (lambda found: _flatten(found.mean(axis))), "the mean of the answer over positions"
    return _flatten, "the answer"


def _flatten(found: Tensor) -> Tensor:
    found = torch.view_as_real(found) if found.is_complex() else found
    flat = found.reshape(len(found), -1)
    flat = flat.float() if torch.finfo(flat.dtype).bits < 32 else flat
    return torch.where(flat.isinf(), torch.zeros((), dtype=flat.dtype, device=flat.device), flat)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
