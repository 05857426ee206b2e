"""A small GPT with one bug planted in it. It runs, its loss falls, and it is wrong: can you see why?

Try it:  tierproof check examples/broken_gpt.py

(The mask's diagonal is off by one, so every position reads the token that it is to predict. Training looks
splendid and generation is noise. Set `diagonal=0` and the model passes.)
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

VOCAB_SIZE, MAX_LENGTH, WIDTH, HEADS, BLOCKS = 96, 64, 48, 3, 3


class MaskedAttention(nn.Module):
    """Attention written out by hand, with its mask kept as a buffer."""

    allowed: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(WIDTH, WIDTH)
        self.key = nn.Linear(WIDTH, WIDTH)
        self.value = nn.Linear(WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        mask = torch.ones(MAX_LENGTH, MAX_LENGTH, dtype=torch.bool).tril(diagonal=1)
        self.register_buffer("allowed", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, width) to the same shape."""
        batch, length, _ = x.shape
        query, key, value = (
            project(x).view(batch, length, HEADS, -1).transpose(1, 2)
            for project in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(-2, -1) / math.sqrt(WIDTH // HEADS)
        scores = scores.masked_fill(~self.allowed[:length, :length], float("-inf"))
        mixed = scores.softmax(dim=-1) @ value
        return self.out(mixed.transpose(1, 2).reshape(batch, length, WIDTH))


class Block(nn.Module):
    """One transformer block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(WIDTH)
        self.attention = MaskedAttention()
        self.norm_2 = nn.LayerNorm(WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, length, width) to the same shape."""
        x = x + self.attention(self.norm_1(x))
        return x + self.mlp(self.norm_2(x))


class BrokenGPT(nn.Module):
    """Tokens in, logits over the next token out."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCAB_SIZE, WIDTH)
        self.positions = nn.Embedding(MAX_LENGTH, WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCAB_SIZE, bias=False)
        for embedding in (self.tokens, self.positions):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, idx: Tensor) -> Tensor:
        """Map tokens (batch, length) to logits (batch, length, VOCAB_SIZE)."""
        x = self.tokens(idx) + self.positions(torch.arange(idx.shape[1], device=idx.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def build_model() -> BrokenGPT:
    """Build the model that `tierproof check` is to look at."""
    return BrokenGPT()
