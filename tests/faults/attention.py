"""Attention gone wrong: masks, positions, softmax and scale, in one attention of a small GPT."""

from __future__ import annotations

import math

import torch
from torch import nn

from zoo.handwritten import CharGPT, MhaDecoder

GUILTY = "blocks.1.attn"


class FaultyAttention(nn.Module):
    """Takes over a healthy attention's layers; subclasses change one step of it."""

    def __init__(self, healthy):
        super().__init__()
        self.heads, self.qkv, self.proj = healthy.heads, healthy.qkv, healthy.proj

    def hidden(self, t):
        return torch.ones(t, t, dtype=torch.bool).triu(1)

    def scale(self, scores, width):
        return scores / math.sqrt(width)

    def weigh(self, scores, hidden):
        return torch.softmax(scores.masked_fill(hidden, float("-inf")), dim=-1)

    def split(self, x):
        b, t, c = x.shape
        return (
            y.view(b, t, self.heads, c // self.heads).transpose(1, 2) for y in self.qkv(x).split(c, dim=2)
        )

    def forward(self, x):
        q, k, v = self.split(x)
        scores = self.scale(q @ k.transpose(-2, -1), q.size(-1))
        y = self.weigh(scores, self.hidden(x.size(1)).to(x.device)) @ v
        return self.proj(y.transpose(1, 2).reshape(x.shape))


class OneAhead(FaultyAttention):
    def hidden(self, t):
        return torch.ones(t, t, dtype=torch.bool).triu(2)


class Unmasked(FaultyAttention):
    def hidden(self, t):
        return torch.zeros(t, t, dtype=torch.bool)


class Transposed(FaultyAttention):
    def hidden(self, t):
        return torch.ones(t, t, dtype=torch.bool).tril(-1)


class FaintMask(FaultyAttention):
    def weigh(self, scores, hidden):
        return torch.softmax(scores - 6.0 * hidden, dim=-1)


class MaskAfterSoftmax(FaultyAttention):
    def weigh(self, scores, hidden):
        return torch.softmax(scores, dim=-1) * ~hidden


class SoftmaxOverQueries(FaultyAttention):
    def weigh(self, scores, hidden):
        return torch.softmax(scores.masked_fill(hidden, float("-inf")), dim=-2)


class Unscaled(FaultyAttention):
    def scale(self, scores, width):
        return scores


class ScaledTwice(FaultyAttention):
    def scale(self, scores, width):
        return scores / math.sqrt(width) * width**-0.5


class KeysAreQueries(FaultyAttention):
    def split(self, x):
        q, _, v = super().split(x)
        return q, q, v


class FusedScaledTwice(FaultyAttention):
    def forward(self, x):
        q, k, v = self.split(x)
        q = q * q.size(-1) ** -0.5
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(y.transpose(1, 2).reshape(x.shape))


class EinsumOverQueries(FaultyAttention):
    def forward(self, x):
        q, k, v = self.split(x)
        scores = torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(q.size(-1))
        weights = scores.masked_fill(self.hidden(x.size(1)), float("-inf")).softmax(dim=2)
        return self.proj(torch.einsum("bhij,bhjd->bhid", weights, v).transpose(1, 2).reshape(x.shape))


def char_gpt():
    torch.manual_seed(0)
    return CharGPT(dropout=0.0)


def plant(kind):
    def build():
        model = char_gpt()
        for index in (1, 2):
            model.blocks[index].attn = kind(model.blocks[index].attn)
        return model

    return build


def reversed_positions():
    class Reversed(CharGPT):
        def forward(self, idx):
            x = self.token(idx) + self.position(torch.arange(idx.size(1) - 1, -1, -1))
            for block in self.blocks:
                x = block(x)
            return self.head(self.norm(x))

    torch.manual_seed(0)
    return Reversed(dropout=0.0)


def norm_over_sequence():
    class NormOverSequence(nn.Module):
        def forward(self, x):
            return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-5)

    model = char_gpt()
    model.blocks[1].ln2 = NormOverSequence()
    return model


def undeclared_one_ahead():
    """Nothing in its names, buffers or calls says that it is causal; its influence map does."""

    class Tower(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(40, 32)
            self.mix = nn.Linear(32, 32)
            self.out = nn.Linear(32, 40)

        def forward(self, x):
            h = self.embed(x)
            past = h.cumsum(1)
            ahead = torch.cat([h[:, 1:], torch.zeros_like(h[:, :1])], dim=1)
            return self.out(torch.tanh(self.mix(past + ahead)))

    torch.manual_seed(0)
    return Tower()


def multihead_without_mask():
    class ForgetfulDecoder(MhaDecoder):
        def forward(self, tokens):
            x = self.embed(tokens) + self.pos(torch.arange(tokens.size(1)))
            for layer in self.layers:
                h = layer["norm1"](x)
                x = x + layer["attn"](h, h, h, need_weights=False)[0]
                x = x + layer["ff"](layer["norm2"](x))
            return self.head(x)

    torch.manual_seed(0)
    return ForgetfulDecoder()


CAUSALITY = {
    "one_ahead": (plant(OneAhead), "T1-CAUSAL-001", {GUILTY}, "error"),
    "unmasked": (plant(Unmasked), "T1-CAUSAL-001", {GUILTY}, "error"),
    "transposed": (plant(Transposed), "T1-CAUSAL-001", {GUILTY}, "error"),
    "faint_mask": (plant(FaintMask), "T1-CAUSAL-001", {GUILTY}, "error"),
    "mask_after_softmax": (plant(MaskAfterSoftmax), "T1-CAUSAL-001", {GUILTY}, "error"),
    "softmax_over_queries": (plant(SoftmaxOverQueries), "T1-CAUSAL-001", {GUILTY}, "error"),
    "norm_over_sequence": (norm_over_sequence, "T1-CAUSAL-001", {"blocks.1.ln2"}, "error"),
    "multihead_without_mask": (multihead_without_mask, "T1-CAUSAL-001", {"layers.0.attn"}, "error"),
    "undeclared_one_ahead": (undeclared_one_ahead, "T1-CAUSAL-002", {""}, "error"),
    "reversed_positions": (reversed_positions, "T1-CAUSAL-003", {"position"}, "error"),
}

ATTENTION = {
    "softmax_over_queries": (plant(SoftmaxOverQueries), "T1-ATTN-001", {GUILTY}, "error"),
    "einsum_over_queries": (plant(EinsumOverQueries), "T1-ATTN-001", {GUILTY}, "error"),
    "mask_after_softmax": (plant(MaskAfterSoftmax), "T1-ATTN-002", {GUILTY}, "warning"),
    "unscaled": (plant(Unscaled), "T1-ATTN-003", {GUILTY}, "warning"),
    "scaled_twice": (plant(ScaledTwice), "T1-ATTN-004", {GUILTY}, "warning"),
    "fused_scaled_twice": (plant(FusedScaledTwice), "T1-ATTN-004", {GUILTY}, "warning"),
    "keys_are_queries": (plant(KeysAreQueries), "T1-ATTN-005", {GUILTY}, "warning"),
}
