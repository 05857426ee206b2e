"""Sizes of single model types that the table of names in `shrink_config.py` does not get right."""

from __future__ import annotations

from typing import Any


def _turn(sections: list[int], **more: Any) -> dict[str, Any]:
    """Rotary parameters whose parts for time, height and width fill half of what turns of a head of 16."""
    return {
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": sections, **more}
    }


_EIGHT, _FOUR = [4, 2, 2], [2, 1, 1]

# What from_encoder_decoder_configs sets.
_DECODER = {"is_decoder": True, "add_cross_attention": True}

# Grids of 16, 8, 4 and 2 patches a side, and no window wider than the last.
_WINDOWS = {"patch_size": 4, "window_size": 2}

TYPE_SIZES: dict[str, dict[str, Any]] = {
    "bailing_hybrid": {"num_expert_group": 2, "topk_group": 1},
    "bit": {"num_groups": 8},
    "codegen": {"rotary_dim": 8},
    "deepseek_v2": {"num_experts_per_tok": 2, "n_group": 1, "topk_group": 1},
    "dots1": {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1},
    "dots3_note_text": {"num_key_value_heads": 4},
    "encoder-decoder": {"decoder": _DECODER},
    "esm": {"vocab_size": 99, "pad_token_id": 1, "mask_token_id": 98},
    "esmc": {"num_key_value_heads": 4},
    "flaubert": {"n_words": 99, "max_position_embeddings": 64, "emb_dim": 64},
    "fsmt": {"src_vocab_size": 99, "tgt_vocab_size": 99},
    "glm46v": {"text_config": _turn(_EIGHT)},
    "glm4v": {"text_config": _turn(_EIGHT)},
    "glm4v_moe": {"text_config": _turn(_FOUR, partial_rotary_factor=0.5)},
    "glm_image": {"text_config": _turn(_EIGHT)},
    "glm_ocr": {"text_config": _turn(_EIGHT)},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "num_layers": 2},
    "granitemoehybrid": {"layer_types": ["mamba", "attention"], "num_hidden_layers": 2},
    "led": {"max_encoder_position_embeddings": 128, "max_decoder_position_embeddings": 64, "attention_window": 8},
    "longformer": {"attention_window": [8, 8]},
    "mamba2": {"num_heads": 8, "head_dim": 16, "n_groups": 2, "chunk_size": 8},
    "mobilevit": {"image_size": 128},
    "qwen2_5_vl": {"text_config": _turn(_EIGHT)},
    "qwen2_vl": {"text_config": _turn(_EIGHT)},
    "reformer": {"axial_pos_embds_dim": [16, 48], "axial_pos_shape": [8, 8], "attn_layers": ["local", "lsh"]},
    "vision-encoder-decoder": {"decoder": _DECODER},
    "swin": _WINDOWS,
    "swinv2": _WINDOWS,
    "wav2vec2-bert": {"vocab_size": 32},
    "wav2vec2-conformer": {"vocab_size": 32},
    "xlm": {"n_words": 99, "emb_dim": 64},
    "xmod": {"default_language": "en_XX"},
}  # fmt: skip
