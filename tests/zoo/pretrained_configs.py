"""Tiny transformers models, randomly initialised from their configs. TINY maps a name to (builder, kind)."""

from __future__ import annotations

from typing import Any

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
TEXT = {**SMALL, "vocab_size": 99, "max_position_embeddings": 64}


def _build(config_name: str, class_name: str, **values: Any):
    import torch
    import transformers

    torch.manual_seed(0)
    config = getattr(transformers, config_name)(**values)
    return getattr(transformers, class_name)(config)


def gpt2():
    return _build(
        "GPT2Config", "GPT2LMHeadModel", vocab_size=99, n_embd=32, n_layer=2, n_head=4, n_positions=64
    )


def bert():
    return _build("BertConfig", "BertForMaskedLM", **TEXT)


def bert_model():
    return _build("BertConfig", "BertModel", **TEXT)


def roberta():
    return _build("RobertaConfig", "RobertaForMaskedLM", **TEXT)


def llama():
    return _build("LlamaConfig", "LlamaForCausalLM", **TEXT, num_key_value_heads=2)


def mistral():
    return _build("MistralConfig", "MistralForCausalLM", **TEXT, num_key_value_heads=2)


def mixtral():
    return _build("MixtralConfig", "MixtralForCausalLM", **TEXT, num_key_value_heads=2, num_local_experts=4)


def mamba():
    return _build(
        "MambaConfig", "MambaForCausalLM", vocab_size=99, hidden_size=32, num_hidden_layers=2, state_size=4
    )


def t5():
    return _build(
        "T5Config",
        "T5ForConditionalGeneration",
        vocab_size=99,
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
    )


def bart():
    return _build(
        "BartConfig", "BartForConditionalGeneration", vocab_size=99, d_model=32, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64,
        max_position_embeddings=64,
    )  # fmt: skip


def vit():
    return _build("ViTConfig", "ViTForImageClassification", **SMALL, image_size=32, patch_size=8)


def whisper():
    return _build(
        "WhisperConfig", "WhisperForConditionalGeneration", vocab_size=99, d_model=32, encoder_layers=2,
        decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=64,
        decoder_ffn_dim=64, max_source_positions=32, max_target_positions=48, num_mel_bins=8, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, decoder_start_token_id=3, begin_suppress_tokens=None,
    )  # fmt: skip


def clip():
    text = {**TEXT, "eos_token_id": 98, "bos_token_id": 97, "pad_token_id": 98}
    return _build(
        "CLIPConfig", "CLIPModel", text_config=text, vision_config={**SMALL, "image_size": 32, "patch_size": 8},
        projection_dim=16,
    )  # fmt: skip


def wav2vec2():
    return _build(
        "Wav2Vec2Config", "Wav2Vec2ForCTC", **SMALL, vocab_size=32, conv_dim=(32, 32), conv_stride=(5, 2),
        conv_kernel=(10, 3), num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, num_feat_extract_layers=2,
    )  # fmt: skip


def gpt_neox():
    return _build("GPTNeoXConfig", "GPTNeoXForCausalLM", **TEXT)


def opt():
    return _build("OPTConfig", "OPTForCausalLM", vocab_size=99, hidden_size=32, num_hidden_layers=2, ffn_dim=64,
                  num_attention_heads=4, max_position_embeddings=64, word_embed_proj_dim=32)  # fmt: skip


def bloom():
    return _build("BloomConfig", "BloomForCausalLM", vocab_size=99, hidden_size=32, n_layer=2, n_head=4)


def qwen2():
    return _build("Qwen2Config", "Qwen2ForCausalLM", **TEXT, num_key_value_heads=2)


def gemma():
    return _build("GemmaConfig", "GemmaForCausalLM", **TEXT, num_key_value_heads=2, head_dim=8)


def deberta():
    return _build("DebertaV2Config", "DebertaV2ForMaskedLM", **TEXT)


def electra():
    return _build("ElectraConfig", "ElectraForMaskedLM", **TEXT, embedding_size=16)


def distilbert():
    return _build("DistilBertConfig", "DistilBertForMaskedLM", vocab_size=99, dim=32, n_layers=2, n_heads=4,
                  hidden_dim=64, max_position_embeddings=64)  # fmt: skip


def albert():
    return _build("AlbertConfig", "AlbertForMaskedLM", **TEXT, embedding_size=16)


def gpt_neo():
    return _build("GPTNeoConfig", "GPTNeoForCausalLM", vocab_size=99, hidden_size=32, num_layers=2, num_heads=4,
                  attention_types=[[["global", "local"], 1]], max_position_embeddings=64)  # fmt: skip


def falcon():
    return _build("FalconConfig", "FalconForCausalLM", vocab_size=99, hidden_size=32, num_hidden_layers=2,
                  num_attention_heads=4)  # fmt: skip


def phi():
    return _build("PhiConfig", "PhiForCausalLM", **TEXT)


TINY = {
    "gpt2": (gpt2, "causal-lm"),
    "bert": (bert, "encoder"),
    "bert_model": (bert_model, "encoder"),
    "roberta": (roberta, "encoder"),
    "llama": (llama, "causal-lm"),
    "mistral": (mistral, "causal-lm"),
    "mixtral": (mixtral, "causal-lm"),
    "mamba": (mamba, "causal-lm"),
    "t5": (t5, "encoder-decoder"),
    "bart": (bart, "encoder-decoder"),
    "vit": (vit, "vision"),
    "whisper": (whisper, "encoder-decoder"),
    "clip": (clip, "vision"),
    "wav2vec2": (wav2vec2, "sequence"),
    "gpt_neox": (gpt_neox, "causal-lm"),
    "opt": (opt, "causal-lm"),
    "bloom": (bloom, "causal-lm"),
    "qwen2": (qwen2, "causal-lm"),
    "gemma": (gemma, "causal-lm"),
    "deberta": (deberta, "encoder"),
    "electra": (electra, "encoder"),
    "distilbert": (distilbert, "encoder"),
    "albert": (albert, "encoder"),
    "gpt_neo": (gpt_neo, "causal-lm"),
    "falcon": (falcon, "causal-lm"),
    "phi": (phi, "causal-lm"),
}
