"""Healthy decoders in the styles people write: LLaMA, GPT-J, ALiBi, experts, linear attention, muP, LoRA."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn


class RmsNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.scale * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


def rotate(x, start=0):
    """Rotary positions for (batch, heads, length, width), with angles in float32 whatever `x` is."""
    half = x.size(-1) // 2
    angles = torch.arange(start, start + x.size(-2), device=x.device)[:, None] / (
        10000.0 ** (torch.arange(half, device=x.device) / half)
    )
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1)


class GroupedAttention(nn.Module):
    """Rotary attention in which two query heads share one key head."""

    def __init__(self, width=32, heads=4, kv_heads=2) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_width = heads, kv_heads, width // heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, kv_heads * self.head_width, bias=False)
        self.v = nn.Linear(width, kv_heads * self.head_width, bias=False)
        self.o = nn.Linear(width, width, bias=False)

    def forward(self, x, cache=None):
        b, t, _ = x.shape
        q = self.q(x).view(b, t, self.heads, -1).transpose(1, 2)
        k = self.k(x).view(b, t, self.kv_heads, -1).transpose(1, 2)
        v = self.v(x).view(b, t, self.kv_heads, -1).transpose(1, 2)
        start = 0 if cache is None or not cache else cache[0].size(2)
        q, k = rotate(q, start), rotate(k, start)
        if cache is not None:
            if cache:
                k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
            cache[:] = [k, v]
        group = self.heads // self.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        steps = torch.arange(start, start + t, device=x.device)
        mask = torch.arange(k.size(2), device=x.device)[None] <= steps[:, None]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o(y.transpose(1, 2).reshape(b, t, -1))


class SwiGlu(nn.Module):
    def __init__(self, width=32, inner=48) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        return self.down(F.silu(self.gate(x)) * self.up(x))


class LlamaBlock(nn.Module):
    def __init__(self, width=32, feed_forward=SwiGlu) -> None:
        super().__init__()
        self.norm1, self.attention = RmsNorm(width), GroupedAttention(width)
        self.norm2, self.feed_forward = RmsNorm(width), feed_forward(width)

    def forward(self, x, cache=None):
        x = x + self.attention(self.norm1(x), cache)
        return x + self.feed_forward(self.norm2(x))


class Llama(nn.Module):
    """Rotary positions, grouped queries, RMSNorm, SwiGLU, untied head."""

    feed_forward = SwiGlu

    def __init__(self, vocab=61, width=32, layers=2) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList(LlamaBlock(width, self.feed_forward) for _ in range(layers))
        self.norm = RmsNorm(width)
        self.lm_head = nn.Linear(width, vocab, bias=False)

    def forward(self, input_ids):
        x = self.embed(input_ids)
        for layer in self.layers:
            x = layer(x)
        return self.lm_head(self.norm(x))


class CachedGpt(Llama):
    """Takes and returns a list of (keys, values), one for each layer."""

    def forward(self, input_ids, past_key_values=None, use_cache=False):
        caches = [list(pair) for pair in past_key_values] if past_key_values else [[] for _ in self.layers]
        x = self.embed(input_ids)
        for layer, cache in zip(self.layers, caches, strict=True):
            x = layer(x, cache)
        return {"logits": self.lm_head(self.norm(x)), "past_key_values": caches if use_cache else None}


class Experts(nn.Module):
    """Each token goes through the two experts that its router likes best, without a capacity."""

    def __init__(self, width=32, experts=4, chosen=2) -> None:
        super().__init__()
        self.router = nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList(SwiGlu(width, 24) for _ in range(experts))
        self.chosen = chosen

    def forward(self, x):
        rows = x.reshape(-1, x.size(-1))
        weights, indices = torch.softmax(self.router(rows), -1).topk(self.chosen, -1)
        weights = weights / weights.sum(-1, keepdim=True)
        out = torch.zeros_like(rows)
        for number, expert in enumerate(self.experts):
            row, place = torch.where(indices == number)
            if len(row):
                out = out.index_add(0, row, weights[row, place, None] * expert(rows[row]))
        return out.view_as(x)


class MixtureOfExperts(Llama):
    feed_forward = Experts


class GptJ(nn.Module):
    """Attention and feed-forward side by side on one norm."""

    def __init__(self, vocab=61, width=32, layers=2) -> None:
        super().__init__()
        self.wte = nn.Embedding(vocab, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.attentions = nn.ModuleList(GroupedAttention(width, 4, 4) for _ in range(layers))
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width)) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids):
        x = self.wte(ids)
        for norm, attention, mlp in zip(self.norms, self.attentions, self.mlps, strict=True):
            h = norm(x)
            x = x + attention(h) + mlp(h)
        return self.head(self.norm(x))


class AlibiDecoder(nn.Module):
    """No positions but a slope on the distance."""

    def __init__(self, vocab=61, width=32, heads=4, layers=2) -> None:
        super().__init__()
        self.heads = heads
        self.embed = nn.Embedding(vocab, width)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm": nn.LayerNorm(width),
                    "qkv": nn.Linear(width, 3 * width),
                    "out": nn.Linear(width, width),
                    "mlp": nn.Sequential(
                        nn.LayerNorm(width), nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, width)
                    ),
                }
            )
            for _ in range(layers)
        )
        self.register_buffer("slopes", 2.0 ** (-8.0 * torch.arange(1, heads + 1) / heads))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocab, bias=False)

    def forward(self, tokens):
        b, t = tokens.shape
        x = self.embed(tokens)
        places = torch.arange(t, device=tokens.device)
        distance = (places[None] - places[:, None]).clamp(max=0)
        bias = self.slopes[:, None, None] * distance
        bias = bias.masked_fill(places[None] > places[:, None], float("-inf"))
        for layer in self.layers:
            q, k, v = (
                part.view(b, t, self.heads, -1).transpose(1, 2)
                for part in layer["qkv"](layer["norm"](x)).chunk(3, -1)
            )
            weights = (q @ k.transpose(-1, -2) / math.sqrt(q.size(-1)) + bias).softmax(-1)
            x = x + layer["out"]((weights @ v).transpose(1, 2).reshape(b, t, -1))
            x = x + layer["mlp"](x)
        return self.head(self.norm(x))


class LinearAttentionLm(nn.Module):
    """Katharopoulos et al. 2020: a feature map in place of the softmax, summed up to each step."""

    def __init__(self, vocab=61, width=32, heads=4) -> None:
        super().__init__()
        self.heads = heads
        self.embed, self.qkv = nn.Embedding(vocab, width), nn.Linear(width, 3 * width)
        self.position = nn.Parameter(0.02 * torch.randn(64, width))
        self.out, self.norm, self.head = (
            nn.Linear(width, width),
            nn.LayerNorm(width),
            nn.Linear(width, vocab),
        )

    def forward(self, tokens):
        b, t = tokens.shape
        x = self.embed(tokens) + self.position[:t]
        q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in self.qkv(x).chunk(3, -1))
        q, k = F.elu(q) + 1, F.elu(k) + 1
        state = (k[..., :, None] * v[..., None, :]).cumsum(2)
        total = (q * k.cumsum(2)).sum(-1, keepdim=True)
        y = (q[..., None, :] @ state).squeeze(-2) / (total + 1e-6)
        return self.head(self.norm(x + self.out(y.transpose(1, 2).reshape(b, t, -1))))


class MuPGpt(nn.Module):
    """Yang et al. 2022: scores over the width, embeddings and logits with their multipliers, zero queries no more."""

    def __init__(self, vocab=61, width=32, heads=4, layers=2) -> None:
        super().__init__()
        self.heads, self.multiplier = heads, 8 / width
        self.embed, self.position = nn.Embedding(vocab, width), nn.Embedding(64, width)
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(layers))
        self.out = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocab, bias=False)

    def forward(self, tokens):
        b, t = tokens.shape
        x = self.embed(tokens) + self.position(torch.arange(t, device=tokens.device))
        for norm, qkv, out in zip(self.norms, self.qkv, self.out, strict=True):
            q, k, v = (y.view(b, t, self.heads, -1).transpose(1, 2) for y in qkv(norm(x)).chunk(3, -1))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1 / q.size(-1))
            x = x + out(y.transpose(1, 2).reshape(b, t, -1))
        return self.multiplier * self.head(self.norm(x))


class LoraLinear(nn.Module):
    """A frozen layer with a trained correction of low rank, zero at the start."""

    def __init__(self, inner: nn.Linear, rank=4) -> None:
        super().__init__()
        self.inner = inner
        self.lora_a = nn.Parameter(torch.randn(rank, inner.in_features) / math.sqrt(inner.in_features))
        self.lora_b = nn.Parameter(torch.zeros(inner.out_features, rank))

    def forward(self, x):
        return self.inner(x) + F.linear(F.linear(x, self.lora_a), self.lora_b)


class LoraLlama(Llama):
    """Everything frozen but adapters on queries and values."""

    def __init__(self) -> None:
        super().__init__()
        self.requires_grad_(False)
        for layer in self.layers:
            layer.attention.q = LoraLinear(layer.attention.q)
            layer.attention.v = LoraLinear(layer.attention.v)


class CheckpointedGpt(Llama):
    """Recomputes each block in backward."""

    def forward(self, input_ids):
        from torch.utils.checkpoint import checkpoint

        x = self.embed(input_ids)
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=False) if self.training else layer(x)
        return self.lm_head(self.norm(x))


class DecisionTransformer(nn.Module):
    """Returns, states and actions as floats, interleaved (Chen et al. 2021); predicts the next action."""

    def __init__(self, state=6, action=3, width=32) -> None:
        super().__init__()
        self.scale = nn.LayerNorm(1 + state + action)
        self.embed_return, self.embed_state = nn.Linear(1, width), nn.Linear(state, width)
        self.embed_action, self.time = nn.Linear(action, width), nn.Embedding(64, width)
        self.blocks = nn.ModuleList(LlamaBlock(width) for _ in range(2))
        self.act = nn.Linear(width, action)
        self.state, self.action = state, action

    def forward(self, x):
        returns, states, actions = self.scale(x).split([1, self.state, self.action], -1)
        time = self.time(torch.arange(x.size(1), device=x.device))
        parts = (self.embed_return(returns), self.embed_state(states), self.embed_action(actions))
        h = torch.stack([part + time for part in parts], 2).flatten(1, 2)
        for block in self.blocks:
            h = block(h)
        return self.act(h[:, 1::3])


DECODERS = {
    "llama_like": (Llama, "causal-lm"),
    "cached_gpt": (CachedGpt, "causal-lm"),
    "experts": (MixtureOfExperts, "causal-lm"),
    "gptj_like": (GptJ, "causal-lm"),
    "alibi": (AlibiDecoder, "causal-lm"),
    "linear_attention": (LinearAttentionLm, "causal-lm"),
    "mup_gpt": (MuPGpt, "causal-lm"),
    "lora_llama": (LoraLlama, "causal-lm"),
    "checkpointed_gpt": (CheckpointedGpt, "causal-lm"),
    "decision_transformer": (DecisionTransformer, "sequence"),
}
