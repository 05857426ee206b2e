"""The weights of one attention operation, read in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

# Numbers in one block: 1 MB in float32, so that several passes over it stay in a core's cache.
_BLOCK_NUMBERS = 1 << 18

OperationKey: TypeAlias = tuple[str, int]
"""Path of a module, and which of its operations of one pass it is."""


@dataclass(frozen=True)
class AttentionPattern:
    """The weights with which one operation mixes its values; they are valid while the operation is looked at.

    Attributes:
        path: of the module that computed them.
        kind: `softmax` (written out), `exponentials` (a softmax written as exp and a sum),
            `softmax in bands` (weights over several axes, put in order), `scaled_dot_product_attention`,
            `multi_head_attention` or `flex_attention`.
        batch, heads, queries, keys: sizes.
        read: gives the weights of a stretch of heads and of query rows, [batch, heads, rows, keys]; keys at the end
            that have no weight may be left out.
        occurrence: how many operations the module had computed in this pass before.
        causal: row i sees the keys up to i and no other.
        open: every query sees every key.
        outputs: what each head's weights make of its values, [batch, heads, queries, width]; None if unknown.
        gate: gives the operation's result, with the output of each head times a factor, [heads]; None if unknown.
    """

    path: str
    kind: str
    batch: int
    heads: int
    queries: int
    keys: int
    read: Callable[[slice, slice], Tensor]
    occurrence: int = 0
    causal: bool = False
    open: bool = False
    outputs: Callable[[], Tensor] | None = None
    gate: Callable[[Any, Tensor], Any] | None = None

    @property
    def key(self) -> OperationKey:
        """What tells the operation from the others of the pass, and is the same in the next pass."""
        return self.path, self.occurrence

    def iterate_blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield rows and their weights, of all heads, in blocks of a megabyte.

        The weights are float32 or float64, [batch, heads, rows, keys]; keys at the end that have no weight may be left
        out.
        """
        start = 0
        while start < self.queries:
            stretch = slice(start, min(start + self._count_rows(start), self.queries))
            yield stretch, _as_float(self.read(slice(0, self.heads), stretch))
            start = stretch.stop

    def _count_rows(self, start: int) -> int:
        """How many rows fill a block; those of causal attention are the shorter the earlier they are."""
        lead = max(self.batch * self.heads, 1)
        if self.causal:
            half = start / 2
            return max(2, int((half * half + _BLOCK_NUMBERS / lead) ** 0.5 - half))
        return max(2, _BLOCK_NUMBERS // max(lead * self.keys, 1))

    def read_all(self) -> Tensor:
        """All weights, [batch, heads, queries, keys]: as much memory as eager attention takes."""
        weights = _as_float(self.read(slice(0, self.heads), slice(0, self.queries)))
        return F.pad(weights, (0, self.keys - weights.shape[-1]))


def _as_float(weights: Tensor) -> Tensor:
    weights = weights.detach()
    return weights if weights.dtype is torch.float64 else weights.float()
