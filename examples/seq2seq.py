"""A healthy translation model around `nn.Transformer`: source and target tokens in, target logits out.

Try it:  tierproof check examples/seq2seq.py
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Seq2Seq(nn.Module):
    """An encoder–decoder over two vocabularies, with sinusoidal positions."""

    positions: Tensor

    def __init__(
        self,
        source_vocab_size: int = 120,
        target_vocab_size: int = 100,
        max_length: int = 64,
        width: int = 48,
        heads: int = 4,
        layers: int = 2,
    ) -> None:
        super().__init__()
        self.width = width
        self.source_embedding = nn.Embedding(source_vocab_size, width)
        self.target_embedding = nn.Embedding(target_vocab_size, width)
        self.register_buffer("positions", sinusoids(max_length, width), persistent=False)
        self.transformer = nn.Transformer(
            width, heads, layers, layers, 4 * width, dropout=0.1, batch_first=True
        )
        self.head = nn.Linear(width, target_vocab_size)
        for embedding in (self.source_embedding, self.target_embedding):
            nn.init.normal_(embedding.weight, std=1 / math.sqrt(width))

    def embed(self, tokens: Tensor, embedding: nn.Embedding) -> Tensor:
        """Map tokens (batch, length) to vectors (batch, length, width) that know their position."""
        return embedding(tokens) * math.sqrt(self.width) + self.positions[: tokens.shape[1]]

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        """Map src (batch, length) and tgt (batch, target length) to logits (batch, target length, vocab)."""
        length = tgt.shape[1]
        future = torch.ones(length, length, dtype=torch.bool, device=tgt.device).triu(diagonal=1)
        decoded = self.transformer(
            self.embed(src, self.source_embedding),
            self.embed(tgt, self.target_embedding),
            tgt_mask=future,
            tgt_is_causal=True,
        )
        return self.head(decoded)


def sinusoids(length: int, width: int) -> Tensor:
    """Give the (length, width) table of sines and cosines of "Attention Is All You Need", section 3.5."""
    position = torch.arange(length).unsqueeze(1)
    frequency = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    table = torch.zeros(length, width)
    table[:, 0::2] = torch.sin(position * frequency)
    table[:, 1::2] = torch.cos(position * frequency)
    return table


def build_model() -> Seq2Seq:
    """Build the model that `tierproof check` is to look at."""
    return Seq2Seq()
