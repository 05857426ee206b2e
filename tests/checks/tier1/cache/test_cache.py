from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tierproof.checks.check import CheckContext
from tierproof.checks.tier1.cache.cache import CHECK
from tierproof.model.describe.prepare_subject import prepare_subject
from tierproof.model.preserve.preserve import preserve
from zoo.handwritten import build
from zoo.pretrained_configs import TINY


def run(model):
    with preserve(model):
        return CHECK.run(CheckContext(prepare_subject(model)))


@pytest.mark.parametrize("name", ["gpt2", "llama", "mixtral", "mamba", "t5", "bart", "whisper", "bloom"])
def test_cached_decoding_agrees(name):
    output = run(TINY[name][0]())
    assert output.skipped == ""
    assert output.findings == ()
    assert max(output.measurements["change_per_step"]) < 1e-5


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: build("char_gpt"), "takes no cache"),
        (TINY["bert_model"][0], "later inputs"),
        (TINY["vit"][0], "takes no cache"),
    ],
)
def test_what_has_no_cache_is_skipped(model, reason):
    assert reason in run(model()).skipped


def gpt2_with(change):
    model = TINY["gpt2"][0]()
    plain = model.transformer.forward

    def forward(input_ids=None, **kwargs):
        return plain(input_ids=input_ids, **change(input_ids, kwargs))

    model.transformer.forward = forward
    return model


def test_positions_that_start_again_are_found():
    def restart(ids, kwargs):
        return {**kwargs, "position_ids": torch.arange(ids.shape[1]).unsqueeze(0)}

    (finding,) = run(gpt2_with(restart)).findings
    assert finding.code == "T1-CACHE-001"
    assert finding.where.startswith("transformer")


def test_a_cached_step_that_raises_is_said():
    def refuse(ids, kwargs):
        if kwargs.get("past_key_values", kwargs.get("cache")) is not None:
            raise ValueError("no cache, please")
        return kwargs

    assert "no cache, please" in run(gpt2_with(refuse)).skipped


def t5_with_first_pass(wrong_from):
    """A decoder that mistakes calls of `wrong_from` tokens or more that begin or continue a cache."""
    model = TINY["t5"][0]()
    plain = model.decoder.forward

    def forward(input_ids=None, **kwargs):
        output = plain(input_ids=input_ids, **kwargs)
        if kwargs.get("use_cache") and wrong_from <= input_ids.shape[1]:
            for layer in (
                getattr(output, "past_key_values", None) or output.cache
            ).self_attention_cache.layers:
                layer.keys = layer.keys.flip(2)
        return output

    model.decoder.forward = forward
    return model


def test_a_wrong_first_pass_of_a_decoder_that_starts_from_one_token_is_a_warning():
    (finding,) = run(t5_with_first_pass(wrong_from=2)).findings
    assert (finding.code, finding.severity.value) == ("T1-CACHE-002", "warning")
    (finding,) = run(t5_with_first_pass(wrong_from=1)).findings
    assert (finding.code, finding.severity.value) == ("T1-CACHE-001", "error")


class PlainCache(nn.Module):
    """Attention with a cache as one writes it by hand: `past` in, and the pair of keys and values out beside the logits."""

    def __init__(self, first_position=lambda past: past, order=lambda past, new: (past, new)):
        super().__init__()
        self.first_position, self.order = first_position, order
        self.embed, self.places = nn.Embedding(60, 32), nn.Embedding(64, 32)
        self.qkv, self.head = nn.Linear(32, 96), nn.Linear(32, 60)

    def forward(self, input_ids, past=None):
        cached = 0 if past is None else past[0].shape[1]
        places = torch.arange(cached, cached + input_ids.shape[1], device=input_ids.device)
        x = self.embed(input_ids) + self.places(places - cached + self.first_position(cached))
        q, k, v = self.qkv(x).chunk(3, -1)
        if past is not None:
            k, v = torch.cat(self.order(past[0], k), 1), torch.cat((past[1], v), 1)
        mask = places[:, None] >= torch.arange(k.shape[1], device=x.device)
        return self.head(x + F.scaled_dot_product_attention(q, k, v, attn_mask=mask)), (k, v)


def test_a_cache_written_by_hand_is_followed():
    output = run(PlainCache())
    assert (output.skipped, output.findings) == ("", ())
    assert max(output.measurements["change_per_step"]) < 1e-5


@pytest.mark.parametrize(
    "wrong",
    [{"first_position": lambda past: 0}, {"order": lambda past, new: (new, past)}],
    ids=["position", "order"],
)
def test_what_is_wrong_with_a_cache_written_by_hand_is_found(wrong):
    (finding,) = run(PlainCache(**wrong)).findings
    assert finding.code == "T1-CACHE-001"
