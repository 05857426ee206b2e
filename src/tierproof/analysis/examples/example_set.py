"""The examples of an analysis, as calls of the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tierproof.model.call.call import Call


@dataclass(frozen=True)
class ExampleSet:
    """What a model is analysed on.

    Attributes:
        calls: in order. A text or a sequence of ids is a call of one row without padding; a batch is one call.
        rows: how many rows each call has.
        given: whether a person brought them; synthetic ones are random draws of the input plan.
        texts: the text of each call; empty where the examples are no texts.
        pieces: for each call, the text of each token, for showing; empty where there is no tokenizer.
        labels: the right class of each row over all calls, None where there are none.
        tokenizer: of the texts.
    """

    calls: tuple[Call, ...]
    rows: tuple[int, ...]
    given: bool = False
    texts: tuple[str, ...] = ()
    pieces: tuple[tuple[str, ...], ...] = ()
    labels: tuple[int, ...] | None = None
    tokenizer: Any = None

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls)

    def __len__(self) -> int:
        return len(self.calls)

    def labels_of(self, index: int) -> tuple[int, ...] | None:
        """The labels of the rows of one call."""
        if self.labels is None:
            return None
        start = sum(self.rows[:index])
        return self.labels[start : start + self.rows[index]]

    def describe(self) -> str:
        """In words, for reports: `3 texts`, `2 batches`, `4 random inputs`."""
        what = "text" if self.texts else "input"
        kind = what if self.given else f"random {what}"
        return f"{len(self.calls)} {kind}{'s' if len(self.calls) != 1 else ''}"
