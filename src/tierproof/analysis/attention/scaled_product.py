"""Recompute the weights of scaled dot-product attention, a few heads and rows at a time.

PyTorch's fused kernels return no weights (pytorch#98505); queries, keys and mask give them exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ScaledProduct:
    """The operands of one scaled dot-product attention.

    Attributes:
        query: [batch, heads, queries, width].
        key: [batch, heads or fewer, keys, width]; fewer where several query heads share one.
        mask: None; Boolean, True where a key may be seen; or added to the scores. It broadcasts to
            [batch, heads, queries, keys].
        causal: row i sees keys up to i, counted from the first of each.
        scale: of the scores.
    """

    query: Tensor
    key: Tensor
    mask: Tensor | None
    causal: bool
    scale: float

    def read(self, heads: slice, rows: slice) -> Tensor:
        """The weights of some heads and rows, [batch, heads, rows, keys]; keys that no row may see are left out."""
        query = self.query[:, heads, rows].detach()
        group = self.query.shape[1] // self.key.shape[1]
        shared = torch.arange(heads.start, heads.stop, device=self.key.device) // group
        key = self.key.detach()[:, shared] if group > 1 else self.key.detach()[:, heads]
        if self.causal:
            key = key[:, :, : rows.stop]
        # As in PyTorch: the root on either side keeps half precision in range.
        root, sign = math.sqrt(abs(self.scale)), -1.0 if self.scale < 0 else 1.0
        scores = (query * (sign * root)) @ (key * root).transpose(-2, -1)
        hidden = self._find_hidden(scores, heads, rows)
        if hidden is not None:
            scores.masked_fill_(hidden, float("-inf"))
        elif self.mask is not None:
            scores += self._cut_mask(heads, rows).to(scores.dtype)
        if self.mask is None:
            return scores.softmax(-1)
        # A row without any key has weights of zero, as in PyTorch.
        unseen = scores.amax(-1, keepdim=True) == float("-inf")
        return scores.softmax(-1).masked_fill_(unseen, 0.0)

    def _find_hidden(self, scores: Tensor, heads: slice, rows: slice) -> Tensor | None:
        if self.causal:
            positions = torch.arange(rows.start, rows.stop, device=scores.device)
            return torch.arange(scores.shape[-1], device=scores.device)[None] > positions[:, None]
        if self.mask is not None and self.mask.dtype is torch.bool:
            return ~self._cut_mask(heads, rows)
        return None

    def _cut_mask(self, heads: slice, rows: slice) -> Tensor:
        assert self.mask is not None
        mask = self.mask.detach()
        mask = mask.reshape((1,) * (4 - mask.dim()) + tuple(mask.shape))
        mask = mask[:, heads] if mask.shape[1] > 1 else mask
        return mask[:, :, rows] if mask.shape[2] > 1 else mask
