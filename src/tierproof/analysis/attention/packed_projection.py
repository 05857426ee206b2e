"""Project the inputs of `multi_head_attention_forward` as it does, to compute its weights from them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tierproof.analysis.attention.scaled_product import ScaledProduct

_SIGNATURE = inspect.signature(F.multi_head_attention_forward)


def project_packed(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ScaledProduct:
    """The scaled product inside one call of `torch.nn.functional.multi_head_attention_forward`.

    Args:
        args, kwargs: of the call; query, key and value are [positions, batch, width] or [positions, width].
    """
    bound = _SIGNATURE.bind(*args, **kwargs)
    bound.apply_defaults()
    given = bound.arguments
    query, key = (
        value if value.dim() == 3 else value.unsqueeze(1) for value in (given["query"], given["key"])
    )
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
    return ScaledProduct(queries, keys, mask, causal=False, scale=1 / math.sqrt(queries.shape[-1]))


def _split_weights(given: Mapping[str, Any], width: int) -> tuple[list[Tensor], list[Tensor | None]]:
    if given["use_separate_proj_weight"]:
        weights = [given["q_proj_weight"], given["k_proj_weight"]]
    else:
        weights = list(given["in_proj_weight"].split(width))[:2]
    bias = given["in_proj_bias"]
    return weights, [None, None] if bias is None else list(bias.split(width))[:2]


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
