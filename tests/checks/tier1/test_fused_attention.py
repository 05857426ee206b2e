"""T1-SDPA: two ways to compute attention agree; each planted difference is found."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from checks.planting import alarms, only_error, run_check
from tierproof.checks.tier1.fused_attention import CHECK
from zoo.handwritten import CharGPT, build
from zoo.pretrained_configs import TINY


@pytest.mark.parametrize("name", ["seq2seq", "mha_decoder", "tiny_vit", "dataclass_encoder", "length_first"])
def test_healthy_encoders_of_torch_agree(name):
    output = run_check(CHECK, build(name))
    assert output.findings == ()
    assert output.measurements["fast_path_change"] < 1e-5


@pytest.mark.parametrize("name", ["gpt2", "bert", "llama", "t5", "bart", "whisper", "gemma", "clip"])
def test_healthy_transformers_agree(name):
    output = run_check(CHECK, TINY[name][0]())
    assert output.findings == ()
    assert output.measurements["implementation_change"] < 1e-5
    assert output.measurements["backend_change"] < 1e-5


@pytest.mark.parametrize("name", ["char_gpt", "lstm_lm", "mlp"])
def test_what_cannot_be_exchanged_is_skipped(name):
    assert "no second implementation or backend" in run_check(CHECK, build(name)).skipped


def test_eager_attention_with_another_scale(monkeypatch):
    from transformers.models.llama import modeling_llama

    plain = modeling_llama.eager_attention_forward

    def wrong(module, query, key, value, mask, scaling, **kwargs):
        return plain(module, query, key, value, mask, scaling * 2, **kwargs)

    monkeypatch.setattr(modeling_llama, "eager_attention_forward", wrong)
    finding = only_error(run_check(CHECK, TINY["llama"][0]()))
    assert (finding.code, finding.where) == ("T1-SDPA-001", "model.layers.0.self_attn")


def test_eager_attention_that_forgets_the_padding(monkeypatch):
    from transformers.models.bert import modeling_bert

    plain = modeling_bert.eager_attention_forward

    def wrong(module, query, key, value, mask, *rest, **kwargs):
        return plain(module, query, key, value, None, *rest, **kwargs)

    monkeypatch.setattr(modeling_bert, "eager_attention_forward", wrong)
    finding = only_error(run_check(CHECK, TINY["bert"][0]()))
    assert (finding.code, finding.where) == ("T1-SDPA-001", "bert.encoder.layer.0.attention.self")


def test_an_activation_that_the_fused_path_does_not_know():
    model = build("dataclass_encoder")
    model.encoder.layers[1].activation = F.gelu  # its constructor noted relu
    model.encoder.layers[1].activation_relu_or_gelu = 1
    finding = only_error(run_check(CHECK, model))
    assert (finding.code, finding.where) == ("T1-SDPA-002", "encoder.layers.1")
    assert torch.backends.mha.get_fastpath_enabled()


def test_code_that_asks_for_the_backend():
    class Asking(CharGPT):
        def forward(self, idx):
            out = super().forward(idx)
            q = out.unsqueeze(1)
            mixed = F.scaled_dot_product_attention(q, q, q, is_causal=True).squeeze(1)
            return out + mixed * (1.0 if torch.backends.cuda.flash_sdp_enabled() else 2.0)

    torch.manual_seed(0)
    (finding,) = alarms(run_check(CHECK, Asking()))
    assert (finding.code, finding.severity) == ("T1-SDPA-003", "warning")


def test_the_model_keeps_its_implementation():
    model = TINY["gpt2"][0]()
    run_check(CHECK, model)
    assert model.config._attn_implementation == "sdpa"
    assert isinstance(model, nn.Module)
