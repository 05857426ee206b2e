"""Compare the answers of a perturbed input with the unperturbed ones, row by row."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tierproof.analysis.answers.answer_form import AnswerForm
from tierproof.analysis.answers.read_rows import RowAnswers
from tierproof.analysis.tokens.token_edit import ADDED

# Kullback–Leibler divergence is a mean over at most so many positions: logits of a long row are large.
_MOST_POSITIONS = 32


@dataclass(frozen=True, slots=True)
class RowChange:
    """What became of one row.

    Attributes:
        answer: its perturbed answer: classes at the positions that were compared, or a vector.
        places: of a class at each position, the old positions that were compared; empty for other forms.
        kl_nats, cosine, relative_error: see `PerturbationFigures`; None where they mean nothing.
        finite: whether the answer is.
    """

    answer: Tensor
    places: Tensor
    kl_nats: float | None
    cosine: float
    relative_error: float
    finite: bool


@dataclass(frozen=True, slots=True)
class RowAnswer:
    """The unperturbed answer of one row.

    Attributes:
        answer: class, classes of all positions, or vector.
        gap: difference between the two largest probabilities, for each class in `answer`; empty for a vector.
    """

    answer: Tensor
    gap: Tensor


def read_answer(form: AnswerForm, rows: RowAnswers, row: int) -> RowAnswer:
    """The unperturbed answer of a row."""
    scores = rows.scores[row]
    if form.name == "vector":
        return RowAnswer(scores.mean(dim=0).cpu(), torch.empty(0))
    asked = scores[-1:] if form.name == "next token" else scores
    top = asked.softmax(dim=-1).topk(2, dim=-1).values
    return RowAnswer(asked.argmax(dim=-1).cpu(), (top[:, 0] - top[:, 1]).cpu())


def compare_row(
    form: AnswerForm, base: RowAnswers, moved: RowAnswers, row: int, origins: Tensor | None
) -> RowChange:
    """Compare one row.

    Args:
        origins: [new positions], the old position of each new one, where the answer follows an edited input; None
            where positions stay what they are, or cannot be matched.
    """
    before, after = base.scores[row], moved.scores[row]
    old, new = _match(before, after, origins if base.has_positions else None)
    finite = moved.is_finite(row)
    if form.name == "vector":
        first, second = before.mean(dim=0), (after[new] if len(new) else after).mean(dim=0)
        return RowChange(second.cpu(), torch.empty(0), None, *_measure(first, second), finite)
    if form.name == "class at each position":
        matched, places = after[new].argmax(dim=-1), old
        first, second = _thin(before[old]), _thin(after[new])
    else:
        last = new[-1:] if len(new) and form.name == "next token" else torch.tensor([len(after) - 1])
        matched, places = after[last.to(after.device)].argmax(dim=-1), old[:0]
        first, second = before[-1:], after[last.to(after.device)]
    divergence = _diverge(_thin(before[old]), _thin(after[new])) if len(new) else None
    return RowChange(matched.cpu(), places.cpu(), divergence, *_measure(first, second), finite)


def count_kept(
    form: AnswerForm, expected: RowAnswer, change: RowChange, *, decided: float = 0.0
) -> float | None:
    """The share of a row's answers that are those expected; of near ties none counts where `decided` is above 0.

    None where no answer counts, and for a vector, whose neighbours decide.
    """
    if form.name == "vector":
        return None
    wanted, gaps = expected.answer, expected.gap
    if form.name == "class at each position":
        wanted, gaps = wanted[change.places], gaps[change.places]
    counted = gaps >= decided
    if len(wanted) == 0 or not bool(counted.any()):
        return None
    if not change.finite:
        return 0.0
    return float((wanted == change.answer)[counted].float().mean())


def _match(before: Tensor, after: Tensor, origins: Tensor | None) -> tuple[Tensor, Tensor]:
    """Old and new positions that belong together."""
    device = before.device
    if origins is None or len(origins) != len(after):
        if len(before) == len(after):
            every = torch.arange(len(before), device=device)
            return every, every
        return torch.empty(0, dtype=torch.long, device=device), torch.empty(
            0, dtype=torch.long, device=device
        )
    new = ((origins != ADDED) & (origins < len(before))).nonzero().flatten()
    return origins[new], new


def _thin(scores: Tensor) -> Tensor:
    if len(scores) <= _MOST_POSITIONS:
        return scores
    return scores[torch.linspace(0, len(scores) - 1, _MOST_POSITIONS, device=scores.device).round().long()]


def _diverge(before: Tensor, after: Tensor) -> float:
    first, second = F.log_softmax(before, dim=-1), F.log_softmax(after, dim=-1)
    terms = torch.where(first > float("-inf"), first.exp() * (first - second), torch.zeros_like(first))
    return max(float(terms.sum(dim=-1).mean()), 0.0)


def _measure(before: Tensor, after: Tensor) -> tuple[float, float]:
    """Cosine, and root mean square change over the standard deviation, of the values that are finite before."""
    counted = before.isfinite()
    first, second = before[counted], after[counted]
    if first.numel() == 0:
        return float("nan"), float("nan")
    if torch.equal(first, second):
        return 1.0, 0.0
    cosine = float(F.cosine_similarity(first.flatten(), second.flatten(), dim=0))
    spread = float(first.std(correction=0)) or float(first.abs().max()) or 1.0
    return cosine, float((second - first).square().mean().sqrt()) / spread
