"""Recompute the weights of scaled dot-product attention, a few heads and rows at a time.

PyTorch's fused kernels return no weights (pytorch#98505); queries, keys and mask give them exactly.
"""

from __future__ import annotations

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
        """The weights of some heads and rows, [batch, heads, rows, keys]; keys that no row may see are left out.

        Half precision is widened to float32.
        """
        scores = self.multiply(heads, rows)
        if self.causal:
            self._hide_later(scores, rows)
        if self.mask is None:
            return scores.softmax(-1)
        part = self._cut_mask(heads, rows, scores.shape[-1])
        if part.dtype is torch.bool:
            scores.masked_fill_(~part, float("-inf"))
        else:
            scores += part.to(scores.dtype)
        weights = scores.softmax(-1)
        # A row without any key has weights of zero, as in PyTorch.
        if bool(weights[..., 0].isnan().any()):
            weights.masked_fill_(scores.amax(-1, keepdim=True) == float("-inf"), 0.0)
        return weights

    def multiply(self, heads: slice, rows: slice) -> Tensor:
        """The scores of some heads and rows before any mask, [batch, heads, rows, keys]."""
        query, key = _widen(self.query[:, heads, rows].detach()), _widen(self.key.detach())
        if self.causal:
            key = key[:, :, : rows.stop]
        query = query * self.scale
        count, shared = self.query.shape[1], self.key.shape[1]
        if count == shared:
            return query @ key[:, heads].transpose(-2, -1)
        group = count // shared
        if query.shape[1] != count:
            index = torch.arange(heads.start, heads.stop, device=key.device) // group
            return query @ key[:, index].transpose(-2, -1)
        # All query heads that share a key head at once, so that no key is copied.
        stacked = query.reshape(query.shape[0], shared, group * query.shape[2], query.shape[3])
        return (stacked @ key.transpose(-2, -1)).reshape(*query.shape[:3], key.shape[2])

    def _hide_later(self, scores: Tensor, rows: slice) -> None:
        """Hide the keys after each row; those before the first row are seen by all."""
        corner = scores[..., rows.start :]
        later = torch.ones(corner.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        corner.masked_fill_(later, float("-inf"))

    def _cut_mask(self, heads: slice, rows: slice, keys: int) -> Tensor:
        assert self.mask is not None
        mask = self.mask.detach()
        mask = mask.reshape((1,) * (4 - mask.dim()) + tuple(mask.shape))
        mask = mask[:, heads] if mask.shape[1] > 1 else mask
        return (mask[:, :, rows] if mask.shape[2] > 1 else mask)[..., :keys]


def _widen(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
