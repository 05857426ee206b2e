"""T1-STAB-007: a row of nothing but padding is hidden whole; a broken id breaks beside others, too."""

from __future__ import annotations

import torch
from torch import nn

from checks.planting import run_check
from tierproof.checks.tier1.stability.stability import CHECK


class Reader(nn.Module):
    """Hides the ids `hidden` from attention."""

    def __init__(self, hidden=0, rows=20):
        super().__init__()
        self.words = nn.Embedding(rows, 16)
        self.attend, self.out = nn.MultiheadAttention(16, 2, batch_first=True), nn.Linear(16, 20)
        self.hidden = hidden

    def forward(self, tokens):
        x = self.words(tokens)
        y, _ = self.attend(x, x, x, key_padding_mask=tokens == self.hidden)
        return self.out(x + y)


class Fragile(Reader):
    """Divides by zero at its last id, which is one of so many that inputs drawn at random lack it."""

    def forward(self, tokens):
        return super().forward(tokens) / (tokens - (self.words.num_embeddings - 1))[..., None]


def find_token_errors(model):
    return [f.evidence["token"] for f in run_check(CHECK, model).findings if f.code == "T1-STAB-007"]


def test_a_row_of_padding_is_no_error():
    torch.manual_seed(0)
    assert find_token_errors(Reader()) == []


def test_an_id_that_breaks_wherever_it_stands():
    torch.manual_seed(0)
    assert find_token_errors(Fragile(hidden=5000, rows=5000)) == [4999]
