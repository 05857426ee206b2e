"""Recompute the weights of `flex_attention` from its own score and mask functions, a few rows at a time.

No kernel returns them (attention-gym#19); the functions are mapped over rows and keys as PyTorch's reference does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tierproof.analysis.attention.scaled_product import ScaledProduct


@dataclass(frozen=True)
class FlexProduct:
    """The operands of one `flex_attention`.

    Attributes:
        product: queries, keys and scale, without a mask.
        change_score: score_mod(score, batch, head, query, key), each of one element.
        see: mask_mod(batch, head, query, key), True where the key may be seen.
        score_buffers, mask_buffers: further tensors that the two take.
    """

    product: ScaledProduct
    change_score: Callable[..., Tensor]
    see: Callable[..., Tensor]
    score_buffers: tuple[Any, ...] = ()
    mask_buffers: tuple[Any, ...] = ()

    def read(self, heads: slice, rows: slice) -> Tensor:
        """The weights of some heads and rows, [batch, heads, rows, keys]."""
        scores = self.product.multiply(heads, rows)
        device = scores.device
        places = (
            torch.arange(scores.shape[0], device=device),
            torch.arange(heads.start, heads.stop, device=device),
            torch.arange(rows.start, rows.stop, device=device),
            torch.arange(scores.shape[3], device=device),
        )
        scores = _map(self.change_score, len(self.score_buffers), scored=True)(
            scores, *places, *self.score_buffers
        )
        seen = _map(self.see, len(self.mask_buffers), scored=False)(*places, *self.mask_buffers)
        scores = scores.float().masked_fill(~seen, float("-inf"))
        hidden = scores.amax(-1, keepdim=True) == float("-inf")
        return scores.softmax(-1).masked_fill(hidden, 0.0)


def read_flex_call(query: Tensor, key: Tensor, args: tuple[Any, ...]) -> FlexProduct:
    """Read the arguments of the operator `flex_attention` after query, key and value.

    Args:
        query: [batch, heads, queries, width].
        key: [batch, heads or fewer, keys, width].
        args: score_mod, the block mask as a tuple that ends with mask_mod, scale, options, and buffers of the two.
    """
    change_score, blocks, scale = args[:3]
    buffers = [tuple(each) for each in args[4:6]] + [(), ()]
    product = ScaledProduct(query, key, None, causal=False, scale=float(scale))
    return FlexProduct(product, change_score, blocks[-1], buffers[0], buffers[1])


def _map(function: Callable[..., Tensor], buffers: int, *, scored: bool) -> Callable[..., Tensor]:
    """The function over batch, heads, queries and keys at once."""
    score = (0,) if scored else ()
    rest = (None,) * buffers
    for axis in (3, 2, 1, 0):
        places = tuple(0 if at == axis else None for at in range(4))
        function = torch.vmap(function, in_dims=(*score, *places, *rest))
    return function
