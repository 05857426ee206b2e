"""Project the inputs of `multi_head_attention_forward` as it does, to compute its weights from them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tierproof.analysis.attention.scaled_product import ScaledProduct

_SIGNATURE = inspect.signature(F.multi_head_attention_forward)


@dataclass(frozen=True)
class PackedProjection:
    """One call of `torch.nn.functional.multi_head_attention_forward`, taken apart.

    Attributes:
        given: the arguments of the call by name.
        product: queries, keys and mask.
    """

    given: Mapping[str, Any]
    product: ScaledProduct

    def compute_outputs(self) -> Tensor:
        """What each head makes of its values, [batch, heads, queries, width of a head]."""
        given, product = self.given, self.product
        value = _add_batch(given["value"])
        weights, biases = _split_weights(given, int(given["embed_dim_to_check"]))
        value = F.linear(value, weights[2], biases[2])
        if given["bias_v"] is not None:
            value = torch.cat([value, given["bias_v"].expand(1, value.shape[1], -1)])
        values = _part_heads(value, int(given["num_heads"]))
        if given["static_v"] is not None:
            values = given["static_v"].reshape(*product.key.shape[:2], *given["static_v"].shape[1:])
        lacking = product.key.shape[2] - values.shape[2]
        if lacking:  # the key of zeros
            values = F.pad(values, (0, 0, 0, lacking))
        return F.scaled_dot_product_attention(
            product.query, product.key, values, attn_mask=product.mask, scale=product.scale
        )

    def call_with_gates(self, function: Callable[..., Any], factors: Tensor) -> Any:
        """The call again, with the output of each head times a factor, [heads]."""
        columns = factors.repeat_interleave(self.given["out_proj_weight"].shape[1] // len(factors))
        return function(**{**self.given, "out_proj_weight": self.given["out_proj_weight"] * columns})


def project_packed(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> PackedProjection:
    """Take one call of `torch.nn.functional.multi_head_attention_forward` apart.

    Args:
        args, kwargs: of the call; query, key and value are [positions, batch, width] or [positions, width].
    """
    bound = _SIGNATURE.bind(*args, **kwargs)
    bound.apply_defaults()
    given = bound.arguments
    query, key = _add_batch(given["query"]), _add_batch(given["key"])
    width, heads = int(given["embed_dim_to_check"]), int(given["num_heads"])
    weights, biases = _split_weights(given, width)
    query = F.linear(query, weights[0], biases[0])
    key = F.linear(key, weights[1], biases[1])
    added = 0
    if given["bias_k"] is not None:
        key = torch.cat([key, given["bias_k"].expand(1, key.shape[1], -1)])
        added += 1
    if given["static_k"] is not None:
        keys = given["static_k"].reshape(query.shape[1], heads, *given["static_k"].shape[1:])
    else:
        keys = _part_heads(key, heads)
    if given["add_zero_attn"]:
        keys = torch.cat([keys, keys.new_zeros((*keys.shape[:2], 1, keys.shape[3]))], dim=2)
        added += 1
    queries = _part_heads(query, heads)
    mask = _join_masks(given, queries, added)
    product = ScaledProduct(queries, keys, mask, causal=False, scale=1 / math.sqrt(queries.shape[-1]))
    return PackedProjection(given, product)


def _add_batch(tensor: Tensor) -> Tensor:
    return tensor if tensor.dim() == 3 else tensor.unsqueeze(1)


def _split_weights(given: Mapping[str, Any], width: int) -> tuple[list[Tensor], list[Tensor | None]]:
    if given["use_separate_proj_weight"]:
        weights = [given["q_proj_weight"], given["k_proj_weight"], given["v_proj_weight"]]
    else:
        weights = list(given["in_proj_weight"].split(width))
    bias = given["in_proj_bias"]
    return weights, [None, None, None] if bias is None else list(bias.split(width))


def _part_heads(projected: Tensor, heads: int) -> Tensor:
    """[positions, batch, width] to [batch, heads, positions, width of a head]."""
    return projected.reshape(*projected.shape[:-1], heads, -1).permute(1, 2, 0, 3)


def _join_masks(given: Mapping[str, Any], queries: Tensor, added: int) -> Tensor | None:
    """What is added to the scores; Boolean masks of this function are True where a key is hidden."""
    batch, heads = queries.shape[:2]
    total: Tensor | None = None
    padding, mask = given["key_padding_mask"], given["attn_mask"]
    if padding is not None:
        padding = padding if padding.dim() == 2 else padding.unsqueeze(0)
        total = _as_scores(padding, queries.dtype)[:, None, None]
    if mask is not None:
        mask = _as_scores(mask, queries.dtype)
        mask = mask[None, None] if mask.dim() == 2 else mask.reshape(batch, heads, *mask.shape[1:])
        total = mask if total is None else total + mask
    return total if total is None or not added else F.pad(total, (0, added))


def _as_scores(mask: Tensor, dtype: torch.dtype) -> Tensor:
    if mask.dtype is torch.bool:
        return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(mask, float("-inf"))
    return mask.to(dtype)
