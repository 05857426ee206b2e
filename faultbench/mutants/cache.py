"""Decoding with a cache that differs from the full pass."""

from faultbench.mutant import Mutant

MUTANTS = (
    Mutant(
        "llama_cache_position_restarts",
        "llama",
        "torch.arange(seen, seen + length, device=input_ids.device)",
        "torch.arange(length, device=input_ids.device)",
        ("layers.*.self_attn", "rotary", ""),
        "Positions start at zero in every step.",
    ),
    Mutant(
        "llama_cache_position_off_by_one",
        "llama",
        "seen = past_key_values[0][0].size(2) if past_key_values is not None else 0",
        "seen = past_key_values[0][0].size(2) - 1 if past_key_values is not None else 0",
        ("layers.*.self_attn", "rotary", "", "layers.*"),
        "The cached length is one short.",
        "github.com/skyzh/tiny-llm/pull/46",
    ),
    Mutant(
        "llama_cache_length_from_heads",
        "llama",
        "seen = past_key_values[0][0].size(2)",
        "seen = past_key_values[0][0].size(1)",
        ("layers.*.self_attn", "rotary", "", "layers.*"),
        "The wrong axis of the cache is its length.",
        "github.com/fla-org/flash-linear-attention/issues/126",
    ),
    Mutant(
        "llama_cache_values_not_joined",
        "llama",
        "k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)",
        "k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], past[1][:, :, -1:].expand_as(v)], dim=2)",
        ("layers.*.self_attn",),
        "The new value is replaced by the last cached one.",
    ),
    Mutant(
        "llama_cache_order",
        "llama",
        "k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)",
        "k, v = torch.cat([k, past[0]], dim=2), torch.cat([past[1], v], dim=2)",
        ("layers.*.self_attn",),
        "New keys are put in front, new values behind.",
    ),
    Mutant(
        "llama_cache_before_rotary",
        "llama",
        "present = (k, v)",
        "present = (self.k_proj(x).view(batch, length, KV_HEADS, HEAD).transpose(1, 2), v) if past is None else (k, v)",
        ("layers.*.self_attn",),
        "Keys are cached before their rotation.",
    ),
    Mutant(
        "llama_cache_of_other_layer",
        "llama",
        "past = past_key_values[index] if past_key_values is not None else None",
        "past = past_key_values[0] if past_key_values is not None else None",
        ("layers.1.self_attn", "layers.1", ""),
        "Every layer reads the first one's cache.",
    ),
    Mutant(
        "llama_cache_mask_rows",
        "llama",
        "queries = torch.arange(total - length, total, device=device)[:, None]",
        "queries = torch.arange(length, device=device)[:, None]",
        ("layers.*.self_attn", "layers.*", ""),
        "The first rows of the mask are taken instead of the last.",
        "github.com/TransformerLensOrg/TransformerLens/pull/777",
    ),
)
