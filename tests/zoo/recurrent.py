"""Healthy recurrent, scanned and convolutional sequence models."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class SelectiveScan(nn.Module):
    """Mamba's layer in plain torch: a causal convolution, then a state with gates that follow the input."""

    def __init__(self, width=32, state=4) -> None:
        super().__init__()
        inner = 2 * width
        self.project = nn.Linear(width, 2 * inner, bias=False)
        self.conv = nn.Conv1d(inner, inner, 4, groups=inner, padding=3)
        self.select = nn.Linear(inner, 2 * state + 1, bias=False)
        self.step = nn.Linear(1, inner)
        self.log_decay = nn.Parameter(torch.log(torch.arange(1, state + 1).float()).repeat(inner, 1))
        self.skip = nn.Parameter(torch.ones(inner))
        self.out = nn.Linear(inner, width, bias=False)
        self.state = state

    def forward(self, x):
        x, gate = self.project(x).chunk(2, -1)
        x = F.silu(self.conv(x.transpose(1, 2))[..., : x.size(1)].transpose(1, 2))
        step, inward, outward = self.select(x).split([1, self.state, self.state], -1)
        step = F.softplus(self.step(step))
        decay = torch.exp(-step[..., None] * self.log_decay.exp())
        entering = (step * x)[..., None] * inward[:, :, None]
        h, out = torch.zeros_like(entering[:, 0]), []
        for t in range(x.size(1)):
            h = decay[:, t] * h + entering[:, t]
            out.append((h * outward[:, t, None]).sum(-1))
        y = torch.stack(out, 1) + self.skip * x
        return self.out(y * F.silu(gate))


class MambaLm(nn.Module):
    def __init__(self, vocab=61, width=32, layers=2) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.layers = nn.ModuleList(SelectiveScan(width) for _ in range(layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocab, bias=False)
        self.head.weight = self.embed.weight
        nn.init.normal_(self.embed.weight, std=0.02)

    def forward(self, input_ids):
        x = self.embed(input_ids)
        for norm, layer in zip(self.norms, self.layers, strict=True):
            x = x + layer(norm(x))
        return self.head(self.norm(x))


class Rwkv(nn.Module):
    """Time mixing with an exponential decay for each channel (Peng et al. 2023), without kernels."""

    def __init__(self, vocab=61, width=32) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.mix = nn.Parameter(torch.rand(3, width))
        self.r, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.decay, self.bonus = nn.Parameter(torch.linspace(-3, 1, width)), nn.Parameter(torch.zeros(width))
        self.out, self.norm1, self.norm2 = (
            nn.Linear(width, width, bias=False),
            nn.LayerNorm(width),
            nn.LayerNorm(width),
        )
        self.head = nn.Linear(width, vocab)

    def forward(self, tokens):
        x = self.embed(tokens)
        h = self.norm1(x)
        before = F.pad(h[:, :-1], (0, 0, 1, 0))
        r, k, v = (
            layer(h * m + before * (1 - m))
            for layer, m in zip((self.r, self.k, self.v), self.mix, strict=True)
        )
        w, total, weight, out = torch.exp(-torch.exp(self.decay)), 0.0, 0.0, []
        for t in range(h.size(1)):
            now = torch.exp(self.bonus + k[:, t])
            out.append((total + now * v[:, t]) / (weight + now))
            total, weight = w * total + torch.exp(k[:, t]) * v[:, t], w * weight + torch.exp(k[:, t])
        return self.head(self.norm2(x + self.out(torch.sigmoid(r) * torch.stack(out, 1))))


class GruTagger(nn.Module):
    """Bidirectional: a label for each step."""

    def __init__(self, vocab=40, width=24, labels=7) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width, padding_idx=0)
        self.gru = nn.GRU(width, width, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1)
        self.labels = nn.Linear(2 * width, labels)

    def forward(self, tokens):
        return self.labels(self.gru(self.embed(tokens))[0])


class GruForecaster(nn.Module):
    """The next value of a series, from its last state."""

    def __init__(self, features=5, width=24) -> None:
        super().__init__()
        self.gru = nn.GRU(features, width, batch_first=True)
        self.out = nn.Linear(width, features)

    def forward(self, series):
        return self.out(self.gru(series)[1][-1])


class CausalConvNet(nn.Module):
    """WaveNet's dilated causal convolutions over tokens."""

    def __init__(self, vocab=61, width=32) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.convs = nn.ModuleList(nn.Conv1d(width, 2 * width, 2, dilation=2**n) for n in range(3))
        self.head = nn.Linear(width, vocab)

    def forward(self, tokens):
        x = self.embed(tokens).transpose(1, 2)
        for conv in self.convs:
            a, b = conv(F.pad(x, (conv.dilation[0], 0))).chunk(2, 1)
            x = x + torch.tanh(a) * torch.sigmoid(b)
        return self.head(x.transpose(1, 2))


class ConformerBlock(nn.Module):
    def __init__(self, width=32, heads=4) -> None:
        super().__init__()
        self.feed1, self.feed2 = (
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 64), nn.SiLU(), nn.Linear(64, width))
            for _ in range(2)
        )
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2, self.point = nn.LayerNorm(width), nn.Conv1d(width, 2 * width, 1)
        self.deep, self.batch_norm = (
            nn.Conv1d(width, width, 5, padding=2, groups=width),
            nn.BatchNorm1d(width),
        )
        self.back, self.norm3 = nn.Conv1d(width, width, 1), nn.LayerNorm(width)

    def forward(self, x):
        x = x + 0.5 * self.feed1(x)
        h = self.norm1(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        h = F.glu(self.point(self.norm2(x).transpose(1, 2)), 1)
        x = x + self.back(F.silu(self.batch_norm(self.deep(h)))).transpose(1, 2)
        return self.norm3(x + 0.5 * self.feed2(x))


class Conformer(nn.Module):
    """Mel frames, halved in time by a convolution; characters out, as for CTC."""

    def __init__(self, bins=16, width=32, characters=30) -> None:
        super().__init__()
        self.subsample = nn.Conv1d(bins, width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(ConformerBlock(width) for _ in range(2))
        self.head = nn.Linear(width, characters)

    def forward(self, features):
        x = F.relu(self.subsample(features.transpose(1, 2))).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(x).log_softmax(-1)


class AudioConvStem(nn.Module):
    """Raw samples in one channel, strided convolutions, an encoder, a class for the clip."""

    def __init__(self, width=32, classes=6) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv1d(1, width, 10, 5),
            nn.GroupNorm(4, width),
            nn.GELU(),
            nn.Conv1d(width, width, 3, 2),
            nn.GELU(),
        )
        layer = nn.TransformerEncoderLayer(width, 4, 64, 0.0, batch_first=True, norm_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.classes = nn.Linear(width, classes)

    def forward(self, waveform):
        return self.classes(self.encoder(self.stem(waveform).transpose(1, 2)).mean(1))


RECURRENT = {
    "mamba_like": (MambaLm, "causal-lm"),
    "rwkv_like": (Rwkv, "causal-lm"),
    "gru_tagger": (GruTagger, "encoder"),
    "gru_forecaster": (GruForecaster, "sequence"),
    "causal_conv": (CausalConvNet, "causal-lm"),
    "conformer": (Conformer, "sequence"),
    "audio_conv_stem": (AudioConvStem, "sequence"),
}
