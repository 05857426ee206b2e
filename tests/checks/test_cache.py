from __future__ import annotations

import pytest
import torch

from tierproof.checks.check import CheckContext
from tierproof.checks.tier1.cache import CHECK
from tierproof.model.prepare_subject import prepare_subject
from tierproof.model.preserve import preserve
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
