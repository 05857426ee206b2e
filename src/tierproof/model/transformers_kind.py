"""The kind of a transformers model, from its config and class."""

from __future__ import annotations

from typing import Any

from torch import nn


def find_transformers_kind(model: nn.Module) -> str:
    """Name the kind: the class first (`…ForCausalLM`), then which auto classes its model type has.

    A model type that has a causal head and no masked one (gpt2, llama, mamba) is causal also without a head.
    """
    config: Any = model.config
    name = type(model).__name__
    if getattr(config, "is_encoder_decoder", False):
        return "encoder-decoder"
    if getattr(model, "main_input_name", "") == "pixel_values" or _is_image_text_pair(config):
        return "vision"
    if name.endswith(("ForCausalLM", "LMHeadModel", "DoubleHeadsModel")):
        return "causal-lm"
    if getattr(model, "main_input_name", "") != "input_ids":
        return "sequence"
    if getattr(config, "is_decoder", False) is True:
        return "causal-lm"
    if name.endswith(("ForMaskedLM", "ForPreTraining")):
        return "encoder"
    causal, masked = _auto_types()
    if config.model_type in causal and config.model_type not in masked:
        return "causal-lm"
    if "ForConditionalGeneration" in name:
        return "causal-lm"
    return "encoder"


def _is_image_text_pair(config: Any) -> bool:
    return hasattr(config, "vision_config") and hasattr(config, "projection_dim")


def _auto_types() -> tuple[set[str], set[str]]:
    from transformers.models.auto import modeling_auto

    return (
        set(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
        set(modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES),
    )
