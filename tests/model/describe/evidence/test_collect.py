"""Each trait is shown with what declares it and what was measured."""

from __future__ import annotations

import pytest

from tierproof.model.describe.prepare_subject import prepare_subject
from zoo.handwritten import HANDWRITTEN, build
from zoo.pretrained_configs import TINY


def evidence(name):
    model = build(name) if name in HANDWRITTEN else TINY[name][0]()
    return {item.trait: (item.declared, item.measured) for item in prepare_subject(model).traits.evidence}


@pytest.mark.parametrize(
    ("name", "trait", "declared", "measured"),
    [
        ("char_gpt", "positions", "learned", "a table of 64 rows"),
        ("char_gpt", "normalisation", "7 LayerNorm", "pre-norm: blocks.0 begins with ln1"),
        ("char_gpt", "attention", "", "an explicit softmax ran 3 times"),
        ("char_gpt", "batch axis", "", "axis 0"),
        ("length_first", "batch axis", "batch_first=False", "axis 1"),
        ("length_first", "normalisation", "norm_first=False", "post-norm"),
        ("length_first", "attention", "2 nn.MultiheadAttention", ""),
        ("tiny_vit", "pooled", "", "batch × 10"),
        ("tiny_vit", "image stem", "patch: patches, kernel 8×8, stride 8×8", "it runs first"),
        ("lstm_lm", "recurrence", "1 LSTM", "lstm ran"),
        ("nano_gpt", "tied weights", "", "token.weight = head.weight"),
        ("seq2seq", "encoder-decoder", "", "src and tgt"),
        ("llama", "positions", "rotary", "sines and cosines"),
        ("llama", "attention", "config says 'sdpa'", "scaled_dot_product_attention ran 2 times"),
        ("llama", "cache", "forward takes a cache", ""),
        ("mixtral", "experts", "config.num_local_experts=4", "top 2 of 4, 2 times per forward pass"),
        ("t5", "positions", "config.relative_attention_num_buckets=32", ""),
        ("t5", "encoder-decoder", "config.is_encoder_decoder=True", "decoder_input_ids"),
        ("bert", "normalisation", "LayerNorm", "post-norm"),
        ("mamba", "recurrence", "config.model_type='mamba'", ""),
        ("wav2vec2", "audio stem", "a convolution, kernel 10, stride 5", "it runs first"),
        (
            "gpt2",
            "tied weights",
            "config.tie_word_embeddings=True",
            "transformer.wte.weight = lm_head.weight",
        ),
    ],
)
def test_evidence(name, trait, declared, measured):
    found = evidence(name)[trait]
    assert declared in found[0]
    assert measured in found[1]


@pytest.mark.parametrize("name", ["mlp", "small_conv"])
def test_what_a_model_has_not_is_not_shown(name):
    assert not {"positions", "attention", "experts", "recurrence", "cache", "tied weights"} & set(
        evidence(name)
    )
