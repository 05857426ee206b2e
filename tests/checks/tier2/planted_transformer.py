"""A small causal transformer whose heads do what is planted in them, by weights alone.

Each layer has heads of one width; `plant` overwrites the projections of one head. Positions are one-hot in the first
part of the stream, tokens in the second, so that a head can look for either.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VOCAB, LENGTH = 40, 64
STREAM = LENGTH + 3 * VOCAB
POSITION, TOKEN, BEFORE, FREE = (
    slice(0, LENGTH),
    slice(LENGTH, LENGTH + VOCAB),
    slice(LENGTH + VOCAB, LENGTH + 2 * VOCAB),
    slice(LENGTH + 2 * VOCAB, STREAM),
)
HEADS, WIDTH = 4, 64
SHARP = 200.0


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(STREAM, HEADS * WIDTH) for _ in range(3))
        self.out = nn.Linear(HEADS * WIDTH, STREAM)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part(x).unflatten(-1, (HEADS, WIDTH)).transpose(1, 2) for part in (self.q, self.k, self.v))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).flatten(2))


class PlantedTransformer(nn.Module):
    """Random; the `plant_…` methods change heads of it."""

    def __init__(self, seed: int = 0, layers: int = 2) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.tokens, self.positions = nn.Embedding(VOCAB, STREAM), nn.Embedding(LENGTH, STREAM)
        self.layers = nn.ModuleList(Attention() for _ in range(layers))
        self.head = nn.Linear(STREAM, VOCAB)
        with torch.no_grad():
            for table, part in ((self.tokens, TOKEN), (self.positions, POSITION)):
                table.weight.mul_(0.05)
                table.weight[:, part] += torch.eye(len(table.weight))

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        for layer in self.layers:
            x = x + layer(x)
        return self.head(x)

    @torch.no_grad()
    def plant_previous(self, layer: int, head: int) -> None:
        """Look at the position before, and write its token into the part BEFORE."""
        attention, rows = self.layers[layer], _rows(head)
        _clear(attention, rows)
        eye = torch.eye(LENGTH)
        attention.q.weight[rows, POSITION] = SHARP * eye.roll(-1, 0)  # position p asks for p − 1
        attention.k.weight[rows, POSITION] = eye
        attention.v.weight[rows, TOKEN] = torch.eye(WIDTH, VOCAB)
        attention.out.weight[BEFORE, rows] = torch.eye(VOCAB, WIDTH)

    @torch.no_grad()
    def plant_induction(self, layer: int, head: int) -> None:
        """Look at the position after the same token's first place: the one whose BEFORE is the query's token."""
        attention, rows = self.layers[layer], _rows(head)
        _clear(attention, rows)
        attention.q.weight[rows, TOKEN] = SHARP * torch.eye(WIDTH, VOCAB)
        attention.k.weight[rows, BEFORE] = torch.eye(WIDTH, VOCAB)
        attention.v.weight[rows, TOKEN] = torch.eye(WIDTH, VOCAB)
        attention.out.weight[FREE, rows] = torch.eye(VOCAB, WIDTH)

    @torch.no_grad()
    def plant_dead(self, layer: int, head: int) -> None:
        """Take the head's part of the output projection away."""
        self.layers[layer].out.weight[:, _rows(head)] = 0.0

    @torch.no_grad()
    def plant_equal(self, layer: int, one: int, other: int) -> None:
        """Copy all input projections of one head to the other."""
        attention = self.layers[layer]
        for part in (attention.q, attention.k, attention.v):
            part.weight[_rows(other)] = part.weight[_rows(one)]
            part.bias[_rows(other)] = part.bias[_rows(one)]

    @torch.no_grad()
    def plant_collapse(self, layer: int) -> None:
        """Give every query the same direction: the weights depend on the keys alone."""
        self.layers[layer].q.weight.zero_()

    @torch.no_grad()
    def plant_even(self, layer: int, head: int) -> None:
        """Queries of zero, so that all scores are equal."""
        self.layers[layer].q.weight[_rows(head)] = 0.0
        self.layers[layer].q.bias[_rows(head)] = 0.0


def _rows(head: int) -> slice:
    return slice(head * WIDTH, (head + 1) * WIDTH)


def _clear(attention: Attention, rows: slice) -> None:
    for part in (attention.q, attention.k, attention.v):
        part.weight[rows] = 0.0
        part.bias[rows] = 0.0
    attention.out.weight[:, rows] = 0.0
