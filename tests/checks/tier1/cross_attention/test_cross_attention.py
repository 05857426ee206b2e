from __future__ import annotations

import pytest
import torch
from torch import nn

from tierproof.checks.check import CheckContext
from tierproof.checks.tier1.cross_attention.cross_attention import CHECK
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.preserve.preserve import preserve
from zoo.handwritten import Seq2Seq, build
from zoo.pretrained_configs import TINY


def run(model):
    with preserve(model):
        return CHECK.run(CheckContext(prepare_subject(model)))


@pytest.mark.parametrize("name", ["t5", "bart", "whisper"])
def test_healthy_encoder_decoders(name):
    output = run(TINY[name][0]())
    assert (output.skipped, output.findings) == ("", ())


def test_healthy_handwritten_and_others():
    assert run(build("seq2seq")).findings == ()
    assert "not an encoder-decoder" in run(build("char_gpt")).skipped


class Deaf(nn.Module):
    """A cross-attention that takes its keys and values from its own queries."""

    def __init__(self, attention):
        super().__init__()
        self.attention = attention
        self.batch_first = True

    def forward(self, query, key, value, **options):
        return self.attention(query, query, query)


def test_a_deaf_cross_attention_is_named():
    model = build("seq2seq")
    for layer in model.transformer.decoder.layers:
        layer.multihead_attn = Deaf(layer.multihead_attn)
    (finding,) = run(model).findings
    assert finding.code == "T1-CROSS-001"
    assert finding.where == "transformer.decoder.layers.0.multihead_attn"


class Parrot(Seq2Seq):
    """Its decoder never sees the target."""

    def forward(self, src, tgt):
        memory = self.transformer.encoder(self.embed(src))
        return self.out(memory.mean(1, keepdim=True) + torch.zeros_like(self.embed(tgt)))


def test_a_target_without_effect_is_found():
    torch.manual_seed(0)
    assert [f.code for f in run(Parrot()).findings] == ["T1-CROSS-002"]


def test_closed_gates_are_opened_before_judging():
    model = build("seq2seq")
    for layer in model.transformer.decoder.layers:
        nn.init.zeros_(layer.multihead_attn.out_proj.weight)
    assert run(model).findings == ()
