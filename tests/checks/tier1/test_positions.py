"""T1-POS: tables of positions that tell nothing apart, or that reach no output."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from checks.planting import alarms, find, run_check
from tierproof.checks.tier1.positions import CHECK, _count_distinct_columns
from zoo.decoders import DECODERS
from zoo.encoders import ENCODERS
from zoo.handwritten import HANDWRITTEN


def make_sinusoids(width, rows, exponents):
    angles = torch.arange(rows)[:, None] * torch.exp(-math.log(10000.0) * exponents)
    return torch.stack((angles.sin(), angles.cos()), -1).flatten(1)


class Tagger(nn.Module):
    """An encoder layer over tokens with a table of positions, which `weigh` multiplies."""

    def __init__(self, table, weigh=None):
        super().__init__()
        self.words = nn.Embedding(40, 24, padding_idx=0)
        self.register_buffer("places", table)
        self.layer = nn.TransformerEncoderLayer(24, 4, 48, 0.0, batch_first=True)
        self.tags = nn.Linear(24, 7)
        self.weigh = weigh

    def forward(self, ids):
        places = self.places[: ids.shape[1]]
        if self.weigh is not None:
            places = places * self.weigh(ids)[..., None]
        return self.tags(self.layer(self.words(ids) + places))


class Spectral(Tagger):
    """The same with complex outputs."""

    def forward(self, ids):
        return torch.fft.fft(super().forward(ids))


class Rotary(nn.Module):
    """Causal attention whose queries and keys are turned by angles."""

    def __init__(self, frequencies):
        super().__init__()
        self.words, self.out = nn.Embedding(40, 32), nn.Linear(32, 40)
        self.query, self.key, self.value = (nn.Linear(32, 32) for _ in range(3))
        self.register_buffer("frequencies", frequencies, persistent=False)

    def turn(self, x):
        angles = torch.arange(x.shape[1])[:, None] * self.frequencies
        cos, sin = (torch.cat((f(angles), f(angles)), -1) for f in (torch.cos, torch.sin))
        half = torch.cat((-x[..., 16:], x[..., :16]), -1)
        return x * cos + half * sin

    def forward(self, ids):
        x = self.words(ids)
        q, k, v = self.turn(self.query(x)), self.turn(self.key(x)), self.value(x)
        y = nn.functional.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None], is_causal=True)
        return self.out(x + y[:, 0])


def build(kind, *arguments):
    torch.manual_seed(0)
    return kind(*arguments)


HEALTHY_TABLE = make_sinusoids(24, 48, torch.arange(0, 24, 2) / 24)


def test_whole_exponents_leave_two_dimensions():
    table = make_sinusoids(24, 48, torch.arange(0, 24, 2) // 24)
    finding = find(run_check(CHECK, build(Tagger, table)), "T1-POS-001")
    assert finding.evidence["rank"] == 2
    assert finding.where == ""


def test_equal_frequencies_of_rotary_positions():
    finding = find(run_check(CHECK, build(Rotary, torch.ones(16))), "T1-POS-001")
    assert finding.evidence["rank"] <= 2
    assert not finding.evidence["added"]


def test_an_inverted_mask_hides_the_table():
    model = build(Tagger, HEALTHY_TABLE, lambda ids: (ids == 0).float())
    finding = find(run_check(CHECK, model), "T1-POS-002")
    assert finding.evidence["buffers"] == ["places"]


@pytest.mark.parametrize(
    "model",
    [
        build(Tagger, HEALTHY_TABLE),
        build(Tagger, HEALTHY_TABLE, lambda ids: (ids != 0).float()),
        build(Spectral, HEALTHY_TABLE),
        build(Rotary, 10000.0 ** (-torch.arange(16) / 16)),
        build(Rotary, 500000.0 ** (-torch.arange(16) / 16)),
    ],
)
def test_sound_tables_are_left_alone(model):
    output = run_check(CHECK, model)
    assert alarms(output) == []
    assert all(rank > 2 for rank in output.measurements["table_ranks"])


@pytest.mark.parametrize("name", ["char_gpt", "llama_like", "alibi", "gptj_like", "bert_like", "cached_gpt"])
def test_models_of_the_zoo(name):
    builder, _ = {**HANDWRITTEN, **DECODERS, **ENCODERS}[name]
    assert alarms(run_check(CHECK, build(builder))) == []


def test_slow_waves_of_distinct_slopes_are_sound():
    frequencies = (10000.0 ** -torch.linspace(0, 1, 4)).repeat_interleave(2)
    table = torch.sin(torch.arange(24)[:, None] * frequencies)
    assert _count_distinct_columns(table) == 4
    assert _count_distinct_columns(torch.sin(torch.arange(24.0))[:, None].expand(24, 8)) == 1
