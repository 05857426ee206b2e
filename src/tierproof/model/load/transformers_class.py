"""Choose the transformers model class to build from a config."""

from __future__ import annotations

import importlib
from typing import Any

# In this order: an encoder–decoder is in the causal table too, and an encoder such as BERT in both.
_ENCODER_DECODER_TABLES = ("SPEECH_SEQ_2_SEQ", "SEQ_TO_SEQ_CAUSAL_LM", "VISION_2_SEQ", "IMAGE_TEXT_TO_TEXT")
_MULTIMODAL_TABLES = ("IMAGE_TEXT_TO_TEXT", "VISION_2_SEQ")
_DECODER_TABLES = ("CAUSAL_LM",)
_OTHER_TABLES = ("MASKED_LM", "CAUSAL_LM", "IMAGE_CLASSIFICATION")


def choose_class(config: Any, transformers: Any) -> tuple[type, str]:
    """Return the class to build from `config`, and what was assumed (empty if nothing was).

    The first of `architectures` that this transformers has and that takes this config; else the class of
    the task that fits the config; else the bare model.

    Raises:
        LookupError: when transformers has no class for this config.
    """
    names = list(getattr(config, "architectures", None) or [])
    for name in names:
        found = getattr(transformers, str(name), None)
        wanted = getattr(found, "config_class", None)
        if isinstance(found, type) and isinstance(wanted, type) and isinstance(config, wanted):
            return found, ""
    chosen = _choose_by_task(config)
    if names:
        return chosen, f"built as {chosen.__name__}: transformers has no {names[0]} for this config"
    return chosen, f"built as {chosen.__name__}: the config names no architecture"


def _choose_by_task(config: Any) -> type:
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    if getattr(config, "is_encoder_decoder", False):
        tables: tuple[str, ...] = _ENCODER_DECODER_TABLES
    elif hasattr(config, "text_config") and hasattr(config, "vision_config"):
        tables = _MULTIMODAL_TABLES
    elif getattr(config, "is_decoder", False):
        tables = _DECODER_TABLES
    else:
        tables = _OTHER_TABLES
    for name in (*(f"MODEL_FOR_{table}_MAPPING" for table in tables), "MODEL_MAPPING"):
        table = getattr(auto, name, None)  # the names vary over the versions of transformers
        if table is not None and type(config) in table:
            found = table[type(config)]
            return found[0] if isinstance(found, tuple | list) else found  # type: ignore[no-any-return]
    raise LookupError(type(config).__name__)
