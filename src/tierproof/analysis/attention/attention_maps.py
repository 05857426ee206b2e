"""The maps of attention heads, as they are kept for showing: one byte a weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

AlikeHeads: TypeAlias = tuple[tuple[int, int], ...]
"""Heads whose maps are alike: the place of the operation in the pass, and the head."""
ROLLOUT = "rollout"
"""The path and the kind of the maps of a rollout."""
MOST_POSITIONS = 256
"""Longer maps are pooled to at most so many rows and columns."""


@dataclass(frozen=True)
class PositionLabels:
    """What stands at the positions of one sequence.

    Attributes:
        name: of the sequence: the argument it was passed as.
        pieces: the text of each position, or its token id; for an image empty, as positions are patches.
        grid: rows and columns of patches; None where positions are no patches of a grid.
        extra: how many positions stand before the patches, such as a class token.
    """

    name: str
    pieces: tuple[str, ...] = ()
    grid: tuple[int, int] | None = None
    extra: int = 0

    @property
    def length(self) -> int:
        """How many positions there are."""
        return len(self.pieces) if self.grid is None else self.extra + self.grid[0] * self.grid[1]


@dataclass(frozen=True)
class PatternMaps:
    """The maps of one attention operation for one row of the batch.

    Attributes:
        path, kind, queries, keys: of the operation.
        query_step, key_step: how many positions one row and one column of a map stand for; 1 where nothing was pooled.
            A pooled cell is the weight on all keys of its column, as the mean over the queries of its row.
        causal: whether no query gives weight to a later key.
        query_labels, key_labels: which of the sequences the positions are; None where no sequence or several have
            that length.
        head_count: heads of the operation.
        heads: the numbers of those whose maps were kept.
        values: for each kept head its map, rows × columns bytes: round(255 · √weight).
    """

    path: str
    kind: str
    queries: int
    keys: int
    query_step: int
    key_step: int
    causal: bool
    query_labels: int | None
    key_labels: int | None
    head_count: int
    heads: tuple[int, ...]
    values: tuple[bytes, ...]

    @property
    def rows(self) -> int:
        """Rows of each map."""
        return -(-self.queries // self.query_step)

    @property
    def columns(self) -> int:
        """Columns of each map."""
        return -(-self.keys // self.key_step)

    def decode(self, head: int) -> list[list[float]]:
        """The weights of one head, rows × columns, with the error that the maps tell.

        Raises:
            ValueError: the map of that head was not kept.
        """
        if head not in self.heads:
            raise ValueError(f"the map of head {head} of {self.path or 'the model'} was not kept")
        values, columns = self.values[self.heads.index(head)], self.columns
        return [
            [(value / 255) ** 2 for value in values[start : start + columns]]
            for start in range(0, self.rows * columns, columns)
        ]


@dataclass(frozen=True)
class AttentionMaps:
    """The maps of one forward pass, of the first row of its batch.

    Attributes:
        inputs: what the pass ran on, in words.
        sequences: what stands at the positions.
        patterns: in the order in which they were computed; the same as those of the figures.
        largest_error: the largest difference between a weight and what its byte stands for.
        beyond: how many weights were no number from 0 to 1; the nearest such number is shown, 0 for NaN.
        budget_bytes: how many bytes the maps could have, before compression.
        missed: modules with an operation that the figures do not hold, or with other heads.
        rollouts: the attention rollout of each sequence, whose `heads` are layers: what reached each position up to
            there. They come on top of the budget.
        alike: clusters of heads over all operations.
    """

    inputs: str
    sequences: tuple[PositionLabels, ...]
    patterns: tuple[PatternMaps, ...]
    largest_error: float
    beyond: int
    budget_bytes: int
    missed: tuple[str, ...] = ()
    rollouts: tuple[PatternMaps, ...] = ()
    alike: tuple[AlikeHeads, ...] = ()

    @property
    def kept(self) -> int:
        """How many heads have a map."""
        return sum(len(pattern.heads) for pattern in self.patterns)

    @property
    def pooled(self) -> bool:
        """Whether a cell of some map stands for several positions."""
        return any(pattern.query_step > 1 or pattern.key_step > 1 for pattern in self.patterns)
