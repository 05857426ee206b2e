"""What declares a model to be causal, or not to be."""

from __future__ import annotations

import re

import torch
from torch import nn

from tierproof.model.embedding_probe import Lookups
from tierproof.model.max_length import is_triangular
from tierproof.model.spec import ModelSpec

_CAUSAL_CLASS = re.compile(
    r"GPT|Gpt|Causal|LMHead|Decoder(?!.*Encoder)|LanguageModel|Llama|Mistral|Mamba|RWKV|(L[Mm])$|Autoregressive"
)
_BIDIRECTIONAL_CLASS = re.compile(r"Encoder(?!.*Decoder)|BERT|Bert|Masked|MLM|Classif|Bidirectional")


def find_declared_causality(
    model: nn.Module, spec: ModelSpec, kind: str | None, lookups: Lookups
) -> tuple[bool | None, str]:
    """Read the declarations, the strongest first: spec, kind, class, masks and arguments in the code.

    Returns:
        (True, False or None; the evidence in words).
    """
    if spec.causal is not None:
        return spec.causal, "ModelSpec.causal"
    if spec.kind == "causal-lm":
        return True, "ModelSpec.kind"
    if kind == "causal-lm":
        return True, "its transformers class"
    if kind in ("encoder", "vision"):
        return False, "its transformers class"
    name = type(model).__name__
    if _BIDIRECTIONAL_CLASS.search(name):
        return False, f"the class name {name}"
    if _CAUSAL_CLASS.search(name):
        return True, f"the class name {name}"
    for path, tensor in model.named_buffers():
        if (
            tensor.dim() >= 2
            and tensor.shape[-1] == tensor.shape[-2] > 1
            and tensor.numel() == tensor.shape[-1] ** 2
            and not tensor.is_meta
            and is_triangular(tensor.reshape(tensor.shape[-2:]))
        ):
            return True, f"the triangular mask {path}"
    for path, module in model.named_modules():
        if getattr(module, "is_causal", None) is True or getattr(module, "causal", None) is True:
            return True, f"{path or name}.is_causal"
    if lookups.causal_attention:
        return True, "attention called with is_causal=True"
    if lookups.triangular_masks:
        return True, "a triangular mask built in the forward pass"
    if callable(getattr(model, "generate", None)):
        return True, "its generate method"
    return None, ""


def has_norm_over_batch(model: nn.Module) -> bool:
    """Whether a batch norm keeps running statistics."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())


def count_tied(model: nn.Module) -> int:
    """How many parameter names share a parameter or storage with an earlier name."""
    seen: set[tuple[int, torch.Size] | int] = set()
    tied = 0
    for _, parameter in model.named_parameters(remove_duplicate=False):
        key = id(parameter)
        tied += key in seen
        seen.add(key)
    return tied
