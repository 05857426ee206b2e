"""How attention is computed: fused, by hand, inside torch.nn, or not at all."""

from __future__ import annotations

from typing import Any

from torch import nn

from tierproof.core.report import TraitEvidence
from tierproof.model.observe.forward_census import ForwardCensus


def describe_attention(model: nn.Module, census: ForwardCensus) -> TraitEvidence | None:
    """Describe the attention implementation that the config names, and the operations that ran."""
    config: Any = getattr(model, "config", None)
    named = getattr(config, "_attn_implementation", None)
    inside = sum(isinstance(module, nn.MultiheadAttention) for module in model.modules())
    said = [f"config says {named!r}"] if isinstance(named, str) else []
    said += [f"{inside} nn.MultiheadAttention"] if inside else []
    fused, plain = census.ran("scaled_dot_product_attention"), census.ran("softmax")
    seen = [f"scaled_dot_product_attention ran {fused} times"] if fused else []
    seen += [f"an explicit softmax ran {plain} times"] if plain else []
    if not fused and not inside and not plain:
        return None
    return TraitEvidence("attention", "; ".join(said), "; ".join(seen))
