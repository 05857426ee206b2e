"""What `measure_adversarial` gives: for each row and search, how far the answer was pushed, and at what price."""

from __future__ import annotations

from dataclasses import dataclass

from tierproof.analysis.intervals.interval import Interval
from tierproof.core.json_value import JsonValue, to_json_value

HOTFLIP, COORDINATE, RANDOM = "hotflip", "greedy coordinate", "random"
SEARCHES = (HOTFLIP, COORDINATE, RANDOM)


@dataclass(frozen=True, slots=True)
class SearchStep:
    """A better input that a search found: after how many passes, with how many tokens changed, at which margin."""

    passes: int
    changed: int
    margin: float


@dataclass(frozen=True, slots=True)
class SearchTrace:
    """One search on one row.

    Attributes:
        row: its number among the examples.
        passes: forward passes that were spent; a backward pass counts as two.
        steps: each improvement, in order.
        ids: the input with the smallest margin that was found.
        places: which of its positions differ from the original.
        text: the ids as text; empty without a tokenizer.
        pieces: the text of each token; empty without a tokenizer.
        reason: why the search could not go on; empty where it spent its budget or turned the answer.
    """

    row: int
    passes: int
    steps: tuple[SearchStep, ...]
    ids: tuple[int, ...]
    places: tuple[int, ...]
    text: str = ""
    pieces: tuple[str, ...] = ()
    reason: str = ""

    @property
    def turned(self) -> SearchStep | None:
        """The step that turned the answer; None where none did."""
        return next((step for step in self.steps if step.margin < 0), None)

    @property
    def smallest_margin(self) -> float | None:
        """The smallest margin found; None where nothing better than the original was."""
        return min((step.margin for step in self.steps), default=None)

    def to_dict(self) -> dict[str, JsonValue]:
        """The trace as it stands in a report."""
        turned = self.turned
        return {
            "row": self.row,
            "passes": self.passes,
            "turned_after_passes": None if turned is None else turned.passes,
            "turned_with_tokens": None if turned is None else turned.changed,
            "steps": [[step.passes, step.changed, to_json_value(step.margin)] for step in self.steps],
            "ids": list(self.ids),
            "places": list(self.places),
            "text": self.text,
            "pieces": list(self.pieces),
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class AttackedRow:
    """A row as it was before the searches.

    Attributes:
        margin: score of its class minus that of the next best.
        gap: the same as a difference of probabilities.
        answer: its class.
        text: its ids as text; empty without a tokenizer.
    """

    row: int
    margin: float
    gap: float
    answer: int
    editable: int
    text: str = ""

    def to_dict(self) -> dict[str, JsonValue]:
        """The row as it stands in a report."""
        return {
            "row": self.row,
            "margin": to_json_value(self.margin),
            "probability_gap": to_json_value(self.gap),
            "answer": self.answer,
            "editable_tokens": self.editable,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class SearchFigures:
    """One search on all rows.

    Attributes:
        name: `hotflip`, `greedy coordinate` or `random`.
        turned: share of rows whose answer was turned.
        median_tokens: tokens changed where it was turned; None where none was.
        margin_lost: mean over rows of how much of the margin was taken, 1 being all of it.
        by_passes: (passes, share of rows turned by then), where the share rises.
        by_tokens: (tokens changed, share of rows turned with so many), where the share rises.
        traces: of each row.
    """

    name: str
    turned: Interval
    median_tokens: float | None
    margin_lost: float
    by_passes: tuple[tuple[int, float], ...]
    by_tokens: tuple[tuple[int, float], ...]
    traces: tuple[SearchTrace, ...]

    def to_dict(self) -> dict[str, JsonValue]:
        """The search as it stands in a report."""
        return {
            "name": self.name,
            "turned": self.turned.to_dict(),
            "median_tokens": to_json_value(self.median_tokens),
            "margin_lost": to_json_value(self.margin_lost),
            "by_passes": [list(point) for point in self.by_passes],
            "by_tokens": [list(point) for point in self.by_tokens],
            "traces": [trace.to_dict() for trace in self.traces],
        }


@dataclass(frozen=True, slots=True)
class ModelAdversarial:
    """How few tokens turn a model's answers.

    Attributes:
        model: its class.
        inputs: what it was measured on, in words.
        answer: `class`, `next token` or `class at each position` (then the answer at the middle position is asked).
        reference: `labels` or `the model's own answers`.
        budget: forward passes for each search on each row; a backward pass counts as two.
        most_tokens: how many tokens of a row may be changed, as a share of those that may be.
        rows: those that were searched.
        searches: in the order of `SEARCHES`.
        wrong: rows that the model answers wrongly without a change, by the labels; they are left out.
        not_searched: number of the row and reason.
        no_gradient: why the searches led by gradients were not run; empty where they were.
        round_trip: whether only inputs were tried that the tokenizer decodes and encodes to themselves.
        complete: whether there was time for everything.
        assumed: what was assumed of the answer, in words.
    """

    model: str
    inputs: str
    answer: str
    reference: str
    budget: int
    most_tokens: float
    rows: tuple[AttackedRow, ...]
    searches: tuple[SearchFigures, ...]
    wrong: int = 0
    not_searched: tuple[tuple[int, str], ...] = ()
    no_gradient: str = ""
    round_trip: bool = False
    complete: bool = True
    assumed: str = ""
    seed: int = 0

    def search(self, name: str) -> SearchFigures | None:
        """The figures of one search; None where it was not run."""
        return next((each for each in self.searches if each.name == name), None)

    def to_dict(self) -> dict[str, JsonValue]:
        """The measurements as they stand in a report."""
        led = [each.turned.value for each in self.searches if each.name != RANDOM]
        by_chance = self.search(RANDOM)
        return {
            "turned_share": max(led, default=None),
            "turned_by_random_search_share": None if by_chance is None else by_chance.turned.value,
            "inputs": self.inputs,
            "model": self.model,
            "answer": self.answer,
            "reference": self.reference,
            "budget_passes": self.budget,
            "most_tokens_share": self.most_tokens,
            "rows": [row.to_dict() for row in self.rows],
            "searches": [search.to_dict() for search in self.searches],
            "wrong_before": self.wrong,
            "not_searched": [{"row": row, "reason": reason} for row, reason in self.not_searched],
            "no_gradient": self.no_gradient,
            "round_trip": self.round_trip,
            "complete": self.complete,
            "assumed": self.assumed,
            "seed": self.seed,
        }
