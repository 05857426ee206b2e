"""Find the kind of a transformers model (causal-lm, encoder, …) from its config and class."""

from __future__ import annotations

from typing import Any

from torch import nn


def find_transformers_kind(model: nn.Module) -> str:
    """Find the kind from the main input, then the class (`…ForCausalLM`), then the model type's auto classes.

    A model type with a causal head and no masked one (gpt2, llama, mamba) is causal even without a head.
    """
    config: Any = model.config
    main = getattr(model, "main_input_name", "")
    if getattr(config, "is_encoder_decoder", False):
        return "encoder-decoder"
    if main == "pixel_values" or _is_image_text_pair(config):
        return "vision"
    if type(model).__name__.endswith(("ForCausalLM", "LMHeadModel", "DoubleHeadsModel")):
        return "encoder" if _is_undecided(config) else "causal-lm"
    if main != "input_ids":
        return "sequence"
    return "causal-lm" if _is_decoder(model, config) else "encoder"


def _is_undecided(config: Any) -> bool:
    """A BERT-like model with a causal head attends both ways until its config says `is_decoder=True`."""
    _, masked = _auto_types()
    return config.model_type in masked and getattr(config, "is_decoder", None) is False


def _is_decoder(model: nn.Module, config: Any) -> bool:
    name = type(model).__name__
    if getattr(config, "is_decoder", False) is True or "ForConditionalGeneration" in name:
        return True
    if name.endswith(("ForMaskedLM", "ForPreTraining")):
        return False
    causal, masked = _auto_types()
    return config.model_type in causal and config.model_type not in masked


def _is_image_text_pair(config: Any) -> bool:
    return hasattr(config, "vision_config") and hasattr(config, "projection_dim")


def _auto_types() -> tuple[set[str], set[str]]:
    from transformers.models.auto import modeling_auto

    return (
        set(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES),
        set(modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES),
    )
