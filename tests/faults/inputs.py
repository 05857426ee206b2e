"""Inputs that are lost on the way."""

from __future__ import annotations

import torch
from torch import nn

from faults.attention import char_gpt
from zoo.handwritten import CharGPT, Seq2Seq, TinyViT


def overwritten_token():
    class OverwriteFirst(nn.Module):
        def forward(self, x):
            return torch.cat([torch.zeros_like(x[:, :1]), x[:, 1:]], dim=1)

    model = char_gpt()
    model.drop = OverwriteFirst()
    return model


def last_token_cut():
    class Cut(CharGPT):
        def forward(self, idx):
            return super().forward(torch.cat([idx[:, :-1], torch.zeros_like(idx[:, :1])], dim=1))

    torch.manual_seed(0)
    return Cut(dropout=0.0)


def half_of_the_image():
    class Half(TinyViT):
        def forward(self, images):
            seen = images.clone()
            seen[..., : images.shape[-1] // 2] = 0
            return super().forward(seen)

    torch.manual_seed(0)
    return Half()


def source_ignored():
    class Deaf(Seq2Seq):
        def forward(self, src, tgt):
            return super().forward(torch.zeros_like(src), tgt)

    torch.manual_seed(0)
    return Deaf()


INFLUENCE = {
    "overwritten_token": (overwritten_token, "T1-INPUT-002", {"drop"}, "error"),
    "last_token_cut": (last_token_cut, "T1-INPUT-002", {""}, "error"),
    "half_of_the_image": (half_of_the_image, "T1-INPUT-002", {""}, "error"),
    "source_ignored": (source_ignored, "T1-INPUT-001", {""}, "error"),
}
