"""A tiny, randomly initialised model of every model type in transformers' auto classes.

One model for each type, with the head that shows most of it: every position's logits rather than a pooled
class, a task rather than the bare model.
"""

from __future__ import annotations

import importlib
import re
from functools import cache
from typing import Any

from zoo.not_tiny import NOT_TINY
from zoo.shrink_config import shrink_config
from zoo.type_sizes import TYPE_SIZES

# (auto table, family), the most telling first.
_TABLES = (
    ("SPEECH_SEQ_2_SEQ", "encoder-decoder"),
    ("SEQ_TO_SEQ_CAUSAL_LM", "encoder-decoder"),
    ("IMAGE_TEXT_TO_TEXT", "multimodal"),
    ("MULTIMODAL_LM", "multimodal"),
    ("MASKED_LM", "encoder"),
    ("CAUSAL_LM", "causal-lm"),
    ("CTC", "audio"),
    ("AUDIO_CLASSIFICATION", "audio"),
    ("IMAGE_CLASSIFICATION", "vision"),
    ("SEMANTIC_SEGMENTATION", "vision"),
    ("OBJECT_DETECTION", "vision"),
    ("DEPTH_ESTIMATION", "vision"),
    ("UNIVERSAL_SEGMENTATION", "vision"),
    ("VIDEO_CLASSIFICATION", "vision"),
    ("MASKED_IMAGE_MODELING", "vision"),
    ("TIME_SERIES_PREDICTION", "time series"),
)
_BARE = ("", "other")


@cache
def list_types() -> tuple[tuple[str, str, str], ...]:
    """(model type, family, auto table; empty for the bare model), each class of model once, by type.

    A bare model that is part of another type (`clip_vision_model` of `clip`) is left to that one.
    """
    parts = _find_parts()
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    chosen: dict[str, tuple[str, str, str]] = {}
    for model_type in sorted(_all_types(auto) - set(NOT_TINY)):
        for table, family in (*_TABLES, _BARE):
            names = getattr(auto, f"MODEL_FOR_{table}_MAPPING_NAMES" if table else "MODEL_MAPPING_NAMES")
            if model_type in names and (table or model_type not in parts):
                class_name = str(names[model_type])
                if class_name not in chosen or _gives_its_name(model_type, class_name):
                    chosen[class_name] = (model_type, family, table)
                break
    return tuple(sorted(chosen.values()))


def _gives_its_name(model_type: str, class_name: str) -> bool:
    """Whether a class is called for the type (`gpt2` for GPT2LMHeadModel, which `gpt-sw3` uses too)."""
    return class_name.lower().startswith(re.sub("[-_.]", "", model_type))


def _find_parts() -> set[str]:
    """The model types whose config lies inside another type's."""
    import transformers

    parts: set[str] = set()
    for model_type in transformers.CONFIG_MAPPING:
        inside = getattr(transformers.CONFIG_MAPPING[model_type], "sub_configs", None) or {}
        parts |= {getattr(part, "model_type", "") for part in inside.values()} - {model_type, ""}
    return parts


def _all_types(auto: Any) -> set[str]:
    every: set[str] = set(auto.MODEL_MAPPING_NAMES)
    for table, _ in _TABLES:
        every |= set(getattr(auto, f"MODEL_FOR_{table}_MAPPING_NAMES"))
    return every


def make_config(model_type: str) -> Any:
    """The tiny config of a model type."""
    import transformers

    return shrink_config(transformers.CONFIG_MAPPING[model_type](), TYPE_SIZES.get(model_type))


def build(model_type: str, table: str, seed: int = 0) -> Any:
    """Build one model with parameters drawn from a seed.

    Raises:
        Whatever transformers raises for a type that cannot be built from a tiny config alone.
    """
    import torch

    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    config = make_config(model_type)
    classes = getattr(auto, f"MODEL_FOR_{table}_MAPPING" if table else "MODEL_MAPPING")[type(config)]
    chosen = classes[0] if isinstance(classes, tuple | list) else classes
    torch.manual_seed(seed)
    return chosen(config).float().eval()
