"""What `measure_robustness` gives: how much of the answers each perturbation leaves, with intervals and chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tierproof.analysis.intervals.interval import Interval
from tierproof.core.json_value import JsonValue, to_json_value

PRECISION, PADDING = "precision", "padding"
NOT_INPUT = (PRECISION,)
"""Perturbations that leave the input as it is."""


@dataclass(frozen=True, slots=True)
class PerturbationFigures:
    """One perturbation at one strength.

    Attributes:
        name: `swap`, `drop`, `insert`, `order`, `typos`, `embedding noise`, `truncation`, `padding`, `precision`,
            `noise`, `shift` or `brightness`.
        strength: the share of tokens or words, or the size relative to the values' own spread; of a precision, its
            largest relative rounding error.
        setting: the strength in words: `10% of the tokens`, `bfloat16`.
        rows: how many rows it was measured on.
        kept: the share of answers that stay right, measured against labels, or that stay the same, measured against
            the model's own. None where there is no other row to tell a vector from.
        decided_kept: the same over rows whose two most likely classes are further apart than a near tie; None where
            there are none.
        kl_nats: mean Kullback–Leibler divergence of the classes' probabilities from the unperturbed ones, over the
            positions that both have.
        cosine: similarity with the unperturbed answer.
        relative_error: root mean square change of the answer over its standard deviation; median over rows.
        mean_rank: of a vector, the place of its own row among all rows by similarity, 1 being the nearest.
        broken: rows whose answer was not finite; they count as not kept.
    """

    name: str
    strength: float
    setting: str
    rows: int
    kept: Interval | None = None
    decided_kept: Interval | None = None
    kl_nats: Interval | None = None
    cosine: Interval | None = None
    relative_error: float | None = None
    mean_rank: float | None = None
    broken: int = 0

    def to_dict(self) -> dict[str, JsonValue]:
        """The figures as they stand in a report."""
        return {
            "name": self.name,
            "strength": self.strength,
            "setting": self.setting,
            "rows": self.rows,
            **{
                name: None if value is None else value.to_dict()
                for name, value in (
                    ("kept", self.kept),
                    ("decided_kept", self.decided_kept),
                    ("kl_nats", self.kl_nats),
                    ("cosine", self.cosine),
                )
            },
            "relative_error": to_json_value(self.relative_error),
            "mean_rank": to_json_value(self.mean_rank),
            "broken": self.broken,
        }


@dataclass(frozen=True, slots=True)
class ModelRobustness:
    """The robustness of a model.

    Attributes:
        model: its class.
        inputs: what it was measured on, in words.
        answer: `class`, `next token`, `class at each position` or `vector`.
        reference: `labels` or `the model's own answers`.
        rows: how many rows were measured.
        unperturbed: share of rows that are right without a perturbation; None without labels.
        chance: share that would be kept if the input told nothing: how often the answers of two different rows agree,
            or the answer of one the label of another. With one row, one over the number of classes.
        chance_cosine: mean similarity of the answers of different rows; None with one row.
        median_gap: median over rows of the difference between the two largest probabilities; None for a vector.
        perturbations: in the order of measurement.
        not_measured: name and reason of each that was not.
        complete: whether there was time for everything.
        assumed: what was assumed of the answer, in words.
        seed: of every draw.
    """

    model: str
    inputs: str
    answer: str
    reference: str
    rows: int
    unperturbed: Interval | None
    chance: float | None
    chance_cosine: float | None
    median_gap: float | None
    perturbations: tuple[PerturbationFigures, ...]
    not_measured: tuple[tuple[str, str], ...] = ()
    complete: bool = True
    assumed: str = ""
    seed: int = 0

    def __iter__(self) -> Iterator[PerturbationFigures]:
        return iter(self.perturbations)

    @property
    def names(self) -> tuple[str, ...]:
        """The perturbations that were measured, each once."""
        return tuple(dict.fromkeys(each.name for each in self.perturbations))

    def of(self, name: str) -> tuple[PerturbationFigures, ...]:
        """One perturbation at all its strengths, the weakest first."""
        return tuple(
            sorted((e for e in self.perturbations if e.name == name), key=lambda each: each.strength)
        )

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements as they stand in a report."""
        return {
            "least_kept_share": min(
                (e.kept.value for e in self.perturbations if e.kept is not None), default=None
            ),
            "chance_share": to_json_value(self.chance),
            "inputs": self.inputs,
            "model": self.model,
            "answer": self.answer,
            "reference": self.reference,
            "rows": self.rows,
            "unperturbed": None if self.unperturbed is None else self.unperturbed.to_dict(),
            "chance_cosine": to_json_value(self.chance_cosine),
            "median_gap": to_json_value(self.median_gap),
            "perturbations": [each.to_dict() for each in self.perturbations],
            "not_measured": dict(self.not_measured),
            "complete": self.complete,
            "assumed": self.assumed,
            "seed": self.seed,
        }
