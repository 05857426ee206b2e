"""Healthy models as people write them. HANDWRITTEN maps a name to (builder, expected kind)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


class CausalSelfAttention(nn.Module):
    def __init__(self, width: int, heads: int, block_size: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.register_buffer(
            "mask", torch.tril(torch.ones(block_size, block_size)).view(1, 1, block_size, block_size)
        )

    def forward(self, x):
        b, t, c = x.shape
        q, k, v = self.qkv(x).split(c, dim=2)
        q, k, v = (y.view(b, t, self.heads, c // self.heads).transpose(1, 2) for y in (q, k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(k.size(-1))
        scores = scores.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf"))
        y = torch.softmax(scores, dim=-1) @ v
        return self.proj(y.transpose(1, 2).contiguous().view(b, t, c))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, block_size: int, dropout: float) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(width)
        self.attn = CausalSelfAttention(width, heads, block_size)
        self.ln2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class CharGPT(nn.Module):
    """A character-level GPT that returns logits."""

    def __init__(self, vocab=65, width=32, heads=4, layers=3, block_size=64, dropout=0.1) -> None:
        super().__init__()
        self.block_size = block_size
        self.token = nn.Embedding(vocab, width)
        self.position = nn.Embedding(block_size, width)
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, block_size, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab, bias=False)
        self.apply(self._init)

    def _init(self, module):
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, idx):
        x = self.drop(self.token(idx) + self.position(torch.arange(idx.size(1), device=idx.device)))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class NanoGPT(CharGPT):
    """(logits, loss); only the last position without targets; tied head."""

    def __init__(self) -> None:
        super().__init__()
        self.head.weight = self.token.weight

    def forward(self, idx, targets=None):
        x = self.drop(self.token(idx) + self.position(torch.arange(idx.size(1), device=idx.device)))
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        if targets is None:
            return self.head(x[:, [-1], :]), None
        logits = self.head(x)
        return logits, F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1))


class Seq2Seq(nn.Module):
    """nn.Transformer with its default (length, batch) hidden inside."""

    def __init__(self, vocab=50, width=32) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.positions = nn.Parameter(torch.randn(64, width) * 0.02)
        self.transformer = nn.Transformer(width, 4, 2, 2, 64, dropout=0.0, batch_first=True)
        self.out = nn.Linear(width, vocab)

    def forward(self, src, tgt):
        mask = nn.Transformer.generate_square_subsequent_mask(tgt.size(1), device=tgt.device)
        s = self.embed(src) + self.positions[: src.size(1)]
        t = self.embed(tgt) + self.positions[: tgt.size(1)]
        return self.out(self.transformer(s, t, tgt_mask=mask))


class MhaDecoder(nn.Module):
    """nn.MultiheadAttention with a causal mask, pre-norm."""

    def __init__(self, vocab=40, width=32, layers=2) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.pos = nn.Embedding(48, width)
        self.layers = nn.ModuleList(
            nn.ModuleDict(
                {
                    "norm1": nn.LayerNorm(width),
                    "attn": nn.MultiheadAttention(width, 4, batch_first=True),
                    "norm2": nn.LayerNorm(width),
                    "ff": nn.Sequential(nn.Linear(width, 64), nn.ReLU(), nn.Linear(64, width)),
                }
            )
            for _ in range(layers)
        )
        self.head = nn.Linear(width, vocab)

    def forward(self, tokens):
        t = tokens.size(1)
        x = self.embed(tokens) + self.pos(torch.arange(t, device=tokens.device))
        mask = torch.triu(torch.ones(t, t, dtype=torch.bool, device=tokens.device), diagonal=1)
        for layer in self.layers:
            h = layer["norm1"](x)
            x = x + layer["attn"](h, h, h, attn_mask=mask, need_weights=False)[0]
            x = x + layer["ff"](layer["norm2"](x))
        return self.head(x)


class TinyViT(nn.Module):
    def __init__(self, size=32, patch=8, width=32, classes=10) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, patch, patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width) * 0.02)
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, classes)

    def forward(self, images):
        x = self.patch(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(x.size(0), -1, -1), x], dim=1) + self.pos_embed
        return self.head(self.encoder(x)[:, 0])


class TimeSeriesEncoder(nn.Module):
    def __init__(self, features=7, width=32) -> None:
        super().__init__()
        self.project = nn.Linear(features, width)
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.forecast = nn.Linear(width, 3)

    def forward(self, x):
        return self.forecast(self.encoder(self.project(x)))


class LengthFirstEncoder(nn.Module):
    """(length, batch), as nn.TransformerEncoder has it by default."""

    def __init__(self, vocab=30, width=32) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.0)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, vocab)

    def forward(self, tokens):
        return self.head(self.encoder(self.embed(tokens)))


@dataclass
class EncoderOutput:
    hidden: torch.Tensor
    pooled: torch.Tensor


class DataclassEncoder(nn.Module):
    """Takes a padding mask, returns a dataclass."""

    def __init__(self, vocab=30, width=32) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width, padding_idx=0)
        self.pos = nn.Embedding(40, width)
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.pool = nn.Linear(width, width)

    def forward(self, tokens, key_padding_mask=None):
        x = self.embed(tokens) + self.pos(torch.arange(tokens.size(1), device=tokens.device))
        x = self.encoder(x, src_key_padding_mask=key_padding_mask)
        return EncoderOutput(x, torch.tanh(self.pool(x[:, 0])))


class DictInput(nn.Module):
    """Takes one mapping."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = CharGPT()

    def forward(self, batch):
        return {"logits": self.inner(batch["input_ids"])}


class LstmLm(nn.Module):
    def __init__(self, vocab=30, width=24) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.head = nn.Linear(width, vocab)

    def forward(self, x):
        return self.head(self.lstm(self.embed(x))[0])


class SmallConvNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(4)
        )
        self.head = nn.Linear(128, 10)

    def forward(self, img):
        return self.head(self.stem(img).flatten(1))


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 3))

    def forward(self, x):
        return self.net(x)


HANDWRITTEN = {
    "char_gpt": (CharGPT, "causal-lm"),
    "nano_gpt": (NanoGPT, "causal-lm"),
    "seq2seq": (Seq2Seq, "encoder-decoder"),
    "mha_decoder": (MhaDecoder, "causal-lm"),
    "tiny_vit": (TinyViT, "vision"),
    "time_series": (TimeSeriesEncoder, "sequence"),
    "length_first": (LengthFirstEncoder, "encoder"),
    "dataclass_encoder": (DataclassEncoder, "encoder"),
    "dict_input": (DictInput, "causal-lm"),
    "lstm_lm": (LstmLm, "causal-lm"),
    "small_conv": (SmallConvNet, "vision"),
    "mlp": (Mlp, "sequence"),
}


def build(name: str, seed: int = 0) -> nn.Module:
    """Build one of the models with parameters drawn from a seed."""
    torch.manual_seed(seed)
    return HANDWRITTEN[name][0]()
