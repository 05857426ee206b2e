"""Which softmaxes over scores were read as attention, and which were used in another layout and not read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from torch import Tensor

from tierproof.model.observe.attention_capture import ValueMark

SoftmaxKey: TypeAlias = tuple[str, int]
"""Path of a module, and which of its softmaxes over scores it is."""


@dataclass(frozen=True)
class WeightMark(ValueMark):
    """The mark of attention weights, and of what was made of them, as long as it is followed.

    Attributes:
        softmax: where they come from.
        numbers: how many weights the softmax gave.
    """

    softmax: SoftmaxKey = ("", 0)
    numbers: int = 0


@dataclass
class SoftmaxUses:
    """What became of the weights of each softmax over scores in one pass.

    Attributes:
        placed: softmaxes whose weights were put in order, so that no product with values has to be read.
    """

    placed: set[SoftmaxKey] = field(default_factory=set)
    _counts: Counter[str] = field(default_factory=Counter)
    _whole: set[SoftmaxKey] = field(default_factory=set)
    _parts: Counter[SoftmaxKey] = field(default_factory=Counter)
    _unread: set[SoftmaxKey] = field(default_factory=set)

    def begin(self, path: str) -> SoftmaxKey:
        """The key of the next softmax of a module."""
        key = path, self._counts[path]
        self._counts[path] += 1
        return key

    def note_read(self, mark: WeightMark, used: Tensor) -> None:
        """Weights were read at a product with values."""
        if used.numel() == mark.numbers:
            self._whole.add(mark.softmax)
        else:
            self._parts[mark.softmax] += 1

    def note_unread(self, mark: WeightMark) -> None:
        """Weights went into a product in a layout that tells no queries and keys."""
        self._unread.add(mark.softmax)

    @property
    def missed(self) -> frozenset[SoftmaxKey]:
        """Softmaxes whose weights were not read as a whole."""
        pieces = {key for key, count in self._parts.items() if count > 1}
        return frozenset((self._unread | pieces) - self._whole - self.placed)


def find_weight_mark(marks: tuple[Any, ...]) -> WeightMark | None:
    """The first mark of weights, or of what was made of them."""
    return next((mark for mark in marks if isinstance(mark, WeightMark)), None)
