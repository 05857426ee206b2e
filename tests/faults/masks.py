"""Padding masks that are ignored, inverted or leak."""

from __future__ import annotations

import torch
from torch import nn


class Encoder(nn.Module):
    """Two attention layers with a padding mask that keeps where it is 1."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(40, 32)
        self.position = nn.Embedding(32, 32)
        self.first = nn.MultiheadAttention(32, 4, batch_first=True)
        self.second = nn.MultiheadAttention(32, 4, batch_first=True)
        self.out = nn.Linear(32, 7)

    def hide(self, mask):
        return None if mask is None else mask == 0

    def mix(self, x, hidden):
        x = x + self.first(x, x, x, key_padding_mask=hidden, need_weights=False)[0]
        return x + self.second(x, x, x, key_padding_mask=hidden, need_weights=False)[0]

    def forward(self, input_ids, attention_mask=None):
        x = self.embed(input_ids) + self.position(torch.arange(input_ids.size(1)))
        return self.out(self.mix(x, self.hide(attention_mask)))


class Ignoring(Encoder):
    def hide(self, mask):
        return None


class Inverted(Encoder):
    """Hides where the mask is 1; without a zero in it, it hides nothing (as with a guard against NaN)."""

    def hide(self, mask):
        return None if mask is None or bool(mask.all()) else mask != 0


class LeakySecond(Encoder):
    def mix(self, x, hidden):
        x = x + self.first(x, x, x, key_padding_mask=hidden, need_weights=False)[0]
        return x + self.second(x, x, x, need_weights=False)[0]


class MeanOverPadding(Encoder):
    def forward(self, input_ids, attention_mask=None):
        return super().forward(input_ids, attention_mask).mean(1)


def make(kind):
    def build():
        torch.manual_seed(0)
        return kind()

    return build


PADDING = {
    "ignored": (make(Ignoring), "T1-PAD-001", {"", "first"}, "error"),
    "inverted": (make(Inverted), "T1-PAD-002", {"first"}, "error"),
    "leaky_second": (make(LeakySecond), "T1-PAD-003", {"second"}, "error"),
    "mean_over_padding": (make(MeanOverPadding), "T1-PAD-003", {""}, "error"),
}
