"""Gather what became of each row under each perturbation, and make figures of it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median

import torch
from torch import Tensor

from tierproof.analysis.answers.answer_form import AnswerForm
from tierproof.analysis.intervals.bound_mean import bound_mean, bound_share
from tierproof.analysis.intervals.interval import Interval
from tierproof.analysis.robustness.answer_change import RowAnswer, RowChange, count_kept
from tierproof.analysis.robustness.robustness_figures import PerturbationFigures
from tierproof.analysis.robustness.settings import Setting

DECIDED_GAP = 0.1
"""Rows whose two largest probabilities are closer than this are near ties: rounding alone may turn them."""


class AnswerTally:
    """The unperturbed answers of all rows, and the changes of each under each setting."""

    def __init__(self, form: AnswerForm) -> None:
        self._form = form
        self._rows: list[RowAnswer] = []
        self._labels: list[int | None] = []
        self._changes: dict[Setting, dict[int, RowChange]] = {}

    @property
    def rows(self) -> int:
        """How many rows were noted."""
        return len(self._rows)

    def add_row(self, answer: RowAnswer, label: int | None) -> int:
        """Note the unperturbed answer of a row; gives its number."""
        self._rows.append(answer)
        self._labels.append(label)
        return len(self._rows) - 1

    def add_change(self, setting: Setting, row: int, change: RowChange) -> None:
        """Note what became of a row under a setting."""
        self._changes.setdefault(setting, {})[row] = change

    @property
    def median_gap(self) -> float | None:
        """The median over rows of the mean difference between the two largest probabilities."""
        gaps = [float(row.gap.mean()) for row in self._rows if row.gap.numel()]
        return median(gaps) if gaps else None

    def measure_unperturbed(self) -> Interval | None:
        """The share of rows that are right as they are; None without labels."""
        right = [
            float(int(row.answer[0]) == label)
            for row, label in zip(self._rows, self._labels, strict=True)
            if label is not None and self._form.name in ("class", "next token")
        ]
        return _bound_share(right)

    def measure_chance(self) -> tuple[float | None, float | None]:
        """How often answers of different rows agree (or fit each other's labels), and their mean cosine."""
        pairs = [(a, b) for a in range(self.rows) for b in range(self.rows) if a != b][:4096]
        if self._form.name == "vector":
            known = self._stack_vectors()
            if not pairs or known is None:
                return None, None
            # A vector that tells nothing is as near to any row as to its own.
            return 1 / self.rows, fmean(float(_compare(known[a], known[b])) for a, b in pairs)
        if not pairs:
            return (1 / self._form.classes if self._form.classes else None), None
        return fmean(self._agree(self._rows[a], self._labels[a], self._rows[b]) for a, b in pairs), None

    def _agree(self, expected: RowAnswer, label: int | None, other: RowAnswer) -> float:
        if label is not None and self._form.name != "class at each position":
            return float(int(other.answer[0]) == label)
        shared = min(len(expected.answer), len(other.answer))
        return float((expected.answer[:shared] == other.answer[:shared]).float().mean())

    def figures(self) -> tuple[PerturbationFigures, ...]:
        """The figures of each setting, in the order in which they were first noted."""
        return tuple(self._figure(setting, changes) for setting, changes in self._changes.items())

    def _figure(self, setting: Setting, changes: dict[int, RowChange]) -> PerturbationFigures:
        ranks = self._rank(changes) if self._form.name == "vector" else {}
        kept = [self._is_kept(row, change, ranks) for row, change in changes.items()]
        decided = [
            count_kept(self._form, self._rows[row], change, decided=DECIDED_GAP)
            for row, change in changes.items()
        ]
        sound = [change for change in changes.values() if change.finite]
        cosines = [change.cosine for change in sound if change.cosine == change.cosine]
        errors = [change.relative_error for change in sound if change.relative_error == change.relative_error]
        divergences = [change.kl_nats for change in sound if change.kl_nats is not None]
        return PerturbationFigures(
            setting.name,
            setting.strength,
            setting.words,
            len(changes),
            kept=_bound_share(kept),
            decided_kept=_bound_share(decided),
            kl_nats=_bound(divergences),
            cosine=_bound(cosines),
            relative_error=median(errors) if errors else None,
            mean_rank=fmean(ranks.values()) if ranks else None,
            broken=len(changes) - len(sound),
        )

    def _is_kept(self, row: int, change: RowChange, ranks: dict[int, int]) -> float | None:
        if self._form.name == "vector":
            if self.rows < 2:
                return None
            return float(change.finite and ranks.get(row) == 1)
        label = self._labels[row]
        if label is not None and self._form.name in ("class", "next token"):
            return float(change.finite and int(change.answer[0]) == label)
        return count_kept(self._form, self._rows[row], change)

    def _rank(self, changes: dict[int, RowChange]) -> dict[int, int]:
        """The place of each row's own vector among all rows by similarity with the perturbed one."""
        known = self._stack_vectors()
        if known is None or self.rows < 2:
            return {}
        ranks = {}
        for row, change in changes.items():
            if not change.finite or change.answer.shape != known[row].shape:
                continue
            likeness = _compare(known, change.answer)
            ranks[row] = 1 + int((likeness > likeness[row] + 1e-6).sum())
        return ranks

    def _stack_vectors(self) -> Tensor | None:
        shapes = {row.answer.shape for row in self._rows}
        return torch.stack([row.answer for row in self._rows]) if len(shapes) == 1 else None


def _compare(known: Tensor, vector: Tensor) -> Tensor:
    """Cosine similarity; of single numbers, nearness."""
    if vector.shape[-1] == 1:
        return -(known - vector).abs().squeeze(-1)
    return torch.nn.functional.cosine_similarity(known, vector, dim=-1)


def _bound(values: list[float]) -> Interval | None:
    return bound_mean(values) if values else None


def _bound_share(values: Sequence[float | None]) -> Interval | None:
    counted = [value for value in values if value is not None]
    return bound_share(sum(counted), len(counted)) if counted else None
