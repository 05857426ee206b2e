"""Make any transformers config tiny: by the names of its sizes, so that a new model type needs no entry.

A name means the same in nearly every config of transformers (`hidden_size`, `n_embd` and `d_model` are all the
width), so one table of names shrinks hundreds of them. What needs more stands in `type_sizes.py`.
"""

from __future__ import annotations

from typing import Any

WIDTH, HEADS, KV_HEADS, HEAD_DIM, LAYERS, INNER, VOCAB, POSITIONS, EXPERTS = 64, 4, 2, 16, 2, 96, 99, 64, 4
IMAGE, PATCH, MEL = 32, 8, 16

_SIZES: dict[str, Any] = {}
for _value, _names in (
    (WIDTH, ("hidden_size d_model n_embd dim embed_dim encoder_hidden_size decoder_hidden_size embedding_size "
            "word_embed_proj_dim out_hidden_size cross_attention_hidden_size hidden_dim encoder_hidden_dim "
            "fusion_hidden_size text_hidden_size vision_hidden_size projection_dim mm_hidden_size "
            "projector_hidden_size d_embed decoder_embed_dim output_hidden_size text_embed_dim qformer_hidden_size "
            "embedding_dim dim_model backbone_hidden_size audio_embed_dim output_dim d_latents decoder_channels "
            "mask_feature_size feature_dim text_dim")),
    (HEADS, ("num_attention_heads n_head num_heads n_heads encoder_attention_heads decoder_attention_heads "
            "decoder_num_attention_heads attention_heads encoder_num_heads decoder_num_heads num_attn_heads "
            "linear_num_value_heads linear_num_key_heads index_n_heads num_decoder_attention_heads "
            "num_encoder_attention_heads")),
    (KV_HEADS, ("num_key_value_heads decoder_num_key_value_heads encoder_num_key_value_heads n_kv_heads "
               "num_kv_heads n_head_kv swa_num_key_value_heads")),
    (HEAD_DIM, ("head_dim d_kv attention_head_dim kv_channels v_head_dim qk_nope_head_dim linear_key_head_dim "
               "linear_value_head_dim index_head_dim swa_head_dim global_head_dim head_size")),
    (8, "qk_rope_head_dim qk_pos_emb_head_dim rotary_dim"),
    (16, "kv_lora_rank q_lora_rank o_lora_rank attention_latent_dim decay_low_rank_dim"),
    (LAYERS, ("num_hidden_layers n_layer num_layers n_layers encoder_layers decoder_layers num_decoder_layers "
             "num_encoder_layers decoder_num_hidden_layers encoder_num_layers decoder_num_layers depth "
             "num_block_layers num_attention_layers encoder_num_hidden_layers num_blocks num_adapter_layers "
             "encoder_layer_num num_global_layers text_encoder_hidden_layers max_window_layers "
             "num_self_attends_per_block")),
    (INNER, ("intermediate_size d_ff n_inner ffn_dim encoder_ffn_dim decoder_ffn_dim mlp_dim dim_feedforward "
            "decoder_intermediate_size moe_intermediate_size shared_expert_intermediate_size d_inner_ff "
            "dff ffn_hidden_size mlp_hidden_size shared_intermediate_size encoder_intermediate_size "
            "expert_ffn_hidden_size moe_shared_expert_intermediate_size intermediate_size_mlp "
            "iou_head_hidden_dim projector_dim dense_intermediate_size")),
    (VOCAB, ("vocab_size n_token text_vocab_size decoder_vocab_size src_vocab_size audio_vocab_size "
            "vocab_size_per_layer_input")),
    (POSITIONS, ("max_position_embeddings n_positions max_source_positions max_target_positions max_seq_len "
                "max_sequence_length n_ctx seq_length max_2d_position_embeddings max_speech_positions "
                "max_text_positions max_length original_max_position_embeddings context_length "
                "max_encoder_position_embeddings max_decoder_position_embeddings max_position_embedding")),
    (EXPERTS, "num_experts num_local_experts n_routed_experts moe_num_experts"),
    (2, "num_experts_per_tok moe_topk moe_k top_k num_experts_per_token moe_top_k experts_per_token"),
    (1, ("n_group num_group topk_group n_shared_experts num_shared_experts first_k_dense_replace num_nextn_predict_layers "
        "num_denoising temporal_patch_size moe_layer_start_index")),
    (IMAGE, "image_size img_size crop_size input_image_size"),
    (PATCH, "patch_size"),
    (2, "spatial_merge_size"),
    (16, ("sliding_window attention_window_size local_attention window attention_chunk_size chunk_size_lin "
         "index_topk mamba_chunk_size")),
    (8, ("state_size mamba_d_state ssm_state_size time_step_rank mamba_n_heads num_queries num_query_tokens "
        "n_queries num_prompts")),
    (MEL, "num_mel_bins feature_size input_feat_per_channel feature_projection_input_dim n_mels mel_bins"),
    (32, "codebook_size"),
    (20, "num_labels"),
    (16, ("fpn_feature_size mlp_bottleneck pooled_dim decoder_dim classifier_proj_size conv_out_channels "
         "downsample_hidden_size upsample_initial_channel "
            "upsample_groups context_size")),
):  # fmt: skip
    _SIZES.update(dict.fromkeys(_names.split(), _value))

# A table of one number for each stage of a pyramid; its length is the number of stages and stays.
_PYRAMIDS: dict[str, Any] = {
    "depths": 1, "hidden_sizes": WIDTH, "neck_hidden_sizes": 16, "conv_dim": 32, "layer_depths": 1,
    "num_channels_list": 16, "stage_out_channels": 16, "tdnn_dim": 16, "encoder_in_channels": None,
}  # fmt: skip
_TOKEN_ENDINGS = ("_token_id", "_token_index", "token_ids", "_token")


def shrink_config(config: Any, sizes: dict[str, Any] | None = None) -> Any:
    """A tiny config of the same class.

    Args:
        config: the default one.
        sizes: values that go before the table's; a dict for a sub-config is applied to that.

    Raises:
        Whatever the config's class raises for sizes that do not fit together.
    """
    given = dict(sizes or {})
    keep = given.pop("keep", ())
    values: dict[str, Any] = {}
    for name, value in vars(config).items():
        if name.startswith("_") or name in keep:
            continue
        if hasattr(value, "to_dict"):
            values[name] = shrink_config(value, given.pop(name, None))
        elif (smaller := _shrink(name, value)) is not None:
            values[name] = smaller
    values |= _shrink_layer_lists(config, values)
    values |= _fill_heads(config, values)
    values |= _widen_picture(config, values)
    values |= _shrink_rotary(config, {**values, **given})
    values |= _move_tokens(config, values, given)
    left = {name: value for name, value in values.items() if name not in keep}
    return type(config)(**{**left, **given})


def _fill_heads(config: Any, values: dict[str, Any]) -> dict[str, Any]:
    """What the class would work out from the heads, where its default is None and it does not."""
    heads = values.get("num_attention_heads", vars(config).get("num_attention_heads"))
    if not isinstance(heads, int):
        return {}
    filled = {"head_dim": WIDTH // heads, "num_key_value_heads": heads}
    filled = {name: value for name, value in filled.items() if vars(config).get(name, 0) is None}
    if "kv_lora_rank" in vars(
        config
    ):  # multi-head latent attention: keys for every head, parts of them turned
        filled["num_key_value_heads"] = heads
        if vars(config).get("head_dim") == vars(config).get("qk_rope_head_dim"):
            filled["head_dim"] = _SIZES["qk_rope_head_dim"]
    return {name: value for name, value in filled.items() if name in vars(config)}


def _widen_picture(config: Any, values: dict[str, Any]) -> dict[str, Any]:
    """A pyramid halves the picture up to five times: at 32 pixels its last attention would have a single key."""
    stages = any(isinstance(vars(config).get(name), list | tuple) for name in ("depths", "hidden_sizes"))
    if not stages or "image_size" not in values:
        return {}
    size = values["image_size"]
    narrow = {"embed_dim": 16} if isinstance(values.get("embed_dim"), int) else {}
    return narrow | {
        "image_size": 2 * IMAGE if isinstance(size, int) else type(size)(2 * IMAGE for _ in size)
    }


def _shrink_layer_lists(config: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Lists with an entry for each layer: as many layers as there are kinds of them, one of each kind."""
    depth = vars(config).get("num_hidden_layers")
    if not isinstance(depth, int) or "num_hidden_layers" not in values:
        return {}
    lists = {
        name: list(value)
        for name, value in vars(config).items()
        if isinstance(value, list | tuple) and len(value) == depth and not name.startswith("_")
    }
    kinds = {name: list(dict.fromkeys(value)) for name, value in lists.items() if isinstance(value[0], str)}
    layers = max([LAYERS, *(len(kind) for kind in kinds.values())])
    short = {name: (kinds.get(name, []) + value)[:layers] for name, value in lists.items()}
    return {"num_hidden_layers": layers, **short}


def _shrink(name: str, value: Any) -> Any:
    """A smaller value for one attribute; None to leave it to the class."""
    if isinstance(value, bool) or value is None:
        return None
    if name in _SIZES:
        small = _SIZES[name]
        if isinstance(value, int):
            return small if value > small or name == "vocab_size" else None
        if isinstance(value, list | tuple) and value and all(isinstance(v, int) for v in value):
            # A pyramid's heads must divide widths that double from stage to stage.
            return type(value)(min(v, 2 if small == HEADS else small) for v in value)
    if name in _PYRAMIDS and isinstance(value, list | tuple) and all(isinstance(v, int) for v in value):
        return type(value)(min(v, _PYRAMIDS[name] or v) for v in value)
    return None


def _shrink_rotary(config: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The parts of a head that turn with time, height and width: together half of what turns at all."""
    rope = vars(config).get("rope_parameters")
    if not isinstance(rope, dict) or not rope.get("mrope_section"):
        return {}
    parts = len(rope["mrope_section"])
    half = int(values.get("head_dim", HEAD_DIM) * rope.get("partial_rotary_factor", 1.0)) // 2
    rest = half // parts
    return {"rope_parameters": {**rope, "mrope_section": [half - rest * (parts - 1), *[rest] * (parts - 1)]}}


def _move_tokens(config: Any, values: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Special ids that lie beyond the small vocabulary, moved to its end, each to one of its own."""
    vocab = given.get("vocab_size", values.get("vocab_size", VOCAB))
    moved: dict[str, Any] = {}
    known: dict[int, int] = {}

    def place(token: int) -> int:
        if token < vocab:
            return token
        return known.setdefault(token, vocab - 1 - len(known))

    if not isinstance(vocab, int):
        return moved
    for name, value in vars(config).items():
        if not name.endswith(_TOKEN_ENDINGS) or isinstance(value, bool):
            continue
        if isinstance(value, int) and value >= vocab:
            moved[name] = place(value)
        elif (
            isinstance(value, list | tuple) and value and all(isinstance(v, int) for v in value)
            and max(value) >= vocab
        ):  # fmt: skip
            moved[name] = type(value)(place(v) for v in value)
    return moved
