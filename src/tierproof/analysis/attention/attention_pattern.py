"""The weights of one attention operation, read in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Numbers in one block: 4 MB in float32.
_BLOCK_NUMBERS = 1 << 20


@dataclass(frozen=True)
class AttentionPattern:
    """The weights with which one operation mixes its values; they are valid while the operation is looked at.

    Attributes:
        path: of the module that computed them.
        kind: `softmax` (written out), `scaled_dot_product_attention` or `multi_head_attention`.
        batch, heads, queries, keys: sizes.
        read: gives the weights of a stretch of heads and of query rows, [batch, heads, rows, keys]; keys at the end
            that have no weight may be left out.
    """

    path: str
    kind: str
    batch: int
    heads: int
    queries: int
    keys: int
    read: Callable[[slice, slice], Tensor]

    def iterate_blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Yield rows and their weights, of all heads, in blocks of a few megabytes.

        The weights are float32 or float64, [batch, heads, rows, keys]; keys at the end that have no weight may be left
        out.
        """
        per_row = max(self.batch * self.heads * self.keys, 1)
        rows = max(1, _BLOCK_NUMBERS // per_row)
        for start in range(0, self.queries, rows):
            stretch = slice(start, min(start + rows, self.queries))
            yield stretch, _as_float(self.read(slice(0, self.heads), stretch))

    def read_all(self) -> Tensor:
        """All weights, [batch, heads, queries, keys]: as much memory as eager attention takes."""
        weights = _as_float(self.read(slice(0, self.heads), slice(0, self.queries)))
        return F.pad(weights, (0, self.keys - weights.shape[-1]))


def _as_float(weights: Tensor) -> Tensor:
    weights = weights.detach()
    return weights if weights.dtype is torch.float64 else weights.float()
