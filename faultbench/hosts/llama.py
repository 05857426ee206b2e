"""A decoder in the style of Llama: rotary positions, grouped keys, RMSNorm, SwiGLU, padding mask and a cache."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VOCAB, WIDTH, HEADS, KV_HEADS, LAYERS, MAX_LENGTH, HIDDEN = 67, 32, 4, 2, 3, 64, 80
HEAD = WIDTH // HEADS


class Output(NamedTuple):
    loss: Tensor | None
    logits: Tensor
    past_key_values: list | None


class RMSNorm(nn.Module):
    def __init__(self, width, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)
        return self.weight * (x * scale)


class Rotary(nn.Module):
    def __init__(self, base=10_000.0):
        super().__init__()
        frequencies = 1.0 / base ** (torch.arange(0, HEAD, 2).float() / HEAD)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, position_ids, like):
        angles = position_ids[:, None, :, None].float() * self.frequencies
        angles = torch.cat([angles, angles], dim=-1)
        return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def rotate_half(x):
    first, second = x.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


def apply_rotary(x, cos, sin):
    return x * cos + rotate_half(x) * sin


def repeat_kv(x, times):
    return x.repeat_interleave(times, dim=1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, HEADS * HEAD, bias=False)
        self.k_proj = nn.Linear(WIDTH, KV_HEADS * HEAD, bias=False)
        self.v_proj = nn.Linear(WIDTH, KV_HEADS * HEAD, bias=False)
        self.o_proj = nn.Linear(HEADS * HEAD, WIDTH, bias=False)

    def forward(self, x, cos, sin, hidden, past):
        batch, length, _ = x.shape
        q = self.q_proj(x).view(batch, length, HEADS, HEAD).transpose(1, 2)
        k = self.k_proj(x).view(batch, length, KV_HEADS, HEAD).transpose(1, 2)
        v = self.v_proj(x).view(batch, length, KV_HEADS, HEAD).transpose(1, 2)
        q, k = apply_rotary(q, cos, sin), apply_rotary(k, cos, sin)
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        present = (k, v)
        k, v = repeat_kv(k, HEADS // KV_HEADS), repeat_kv(v, HEADS // KV_HEADS)
        scores = q @ k.transpose(-2, -1) / math.sqrt(HEAD)
        scores = scores.masked_fill(hidden, torch.finfo(scores.dtype).min)
        weights = scores.float().softmax(dim=-1).to(v.dtype)
        y = (weights @ v).transpose(1, 2).reshape(batch, length, HEADS * HEAD)
        return self.o_proj(y), present


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate_proj = nn.Linear(WIDTH, HIDDEN, bias=False)
        self.up_proj = nn.Linear(WIDTH, HIDDEN, bias=False)
        self.down_proj = nn.Linear(HIDDEN, WIDTH, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_norm = RMSNorm(WIDTH)
        self.self_attn = Attention()
        self.post_norm = RMSNorm(WIDTH)
        self.mlp = MLP()

    def forward(self, x, cos, sin, hidden, past):
        y, present = self.self_attn(self.input_norm(x), cos, sin, hidden, past)
        x = x + y
        x = x + self.mlp(self.post_norm(x))
        return x, present


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.max_length = MAX_LENGTH
        self.embed_tokens = nn.Embedding(VOCAB, WIDTH)
        self.rotary = Rotary()
        self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])
        self.norm = RMSNorm(WIDTH)
        self.lm_head = nn.Linear(WIDTH, VOCAB, bias=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def hide(self, attention_mask, length, total, device):
        queries = torch.arange(total - length, total, device=device)[:, None]
        keys = torch.arange(total, device=device)[None, :]
        hidden = (keys > queries)[None, None]
        if attention_mask is not None:
            hidden = hidden | (attention_mask[:, None, None, :] == 0)
        return hidden

    def forward(
        self,
        input_ids,
        attention_mask=None,
        position_ids=None,
        labels=None,
        past_key_values=None,
        use_cache=False,
    ):
        batch, length = input_ids.shape
        seen = past_key_values[0][0].size(2) if past_key_values is not None else 0
        if position_ids is None:
            position_ids = torch.arange(seen, seen + length, device=input_ids.device).expand(batch, -1)
        x = self.embed_tokens(input_ids)
        cos, sin = self.rotary(position_ids, x)
        hidden = self.hide(attention_mask, length, seen + length, input_ids.device)
        presents = []
        for index, layer in enumerate(self.layers):
            past = past_key_values[index] if past_key_values is not None else None
            x, present = layer(x, cos, sin, hidden, past)
            presents.append(present)
        logits = self.lm_head(self.norm(x))
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].reshape(-1, VOCAB), labels[:, 1:].reshape(-1))
        return Output(loss, logits, presents if use_cache else None)


def build():
    return Llama()
