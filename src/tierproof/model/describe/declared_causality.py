"""Find what declares that a model is causal or that it is not."""

from __future__ import annotations

import re

from torch import nn

from tierproof.model.call.max_length import is_triangular_mask
from tierproof.model.call.spec import ModelSpec
from tierproof.model.observe.embedding_probe import Lookups

_CAUSAL_CLASS = re.compile(
    r"GPT|Gpt|Causal|LMHead|Decoder(?!.*Encoder)|LanguageModel|Llama|Mistral|Mamba|RWKV|(L[Mm])$|Autoregressive"
)
_BIDIRECTIONAL_CLASS = re.compile(r"Encoder(?!.*Decoder)|BERT|Bert|Masked|MLM|Classif|Bidirectional")


def find_declared_causality(
    model: nn.Module, spec: ModelSpec, kind: str | None, lookups: Lookups
) -> tuple[bool | None, str]:
    """Find the strongest declaration, in this order: spec, kind, class name, masks, arguments in the code.

    Returns:
        (True, False or None; the evidence in words).
    """
    if spec.causal is not None:
        return spec.causal, "ModelSpec.causal"
    if spec.kind == "causal-lm":
        return True, "ModelSpec.kind"
    if kind in ("causal-lm", "encoder", "vision"):
        return kind == "causal-lm", "ModelSpec.kind" if spec.kind else "its transformers class"
    if getattr(getattr(model, "config", None), "is_decoder", None) is True:
        return True, "config.is_decoder"
    if type(model).__module__.startswith("torch.nn."):
        # torch's own decoder is causal where its caller passes a mask: its name promises nothing.
        return None, ""
    name = type(model).__name__
    if _BIDIRECTIONAL_CLASS.search(name):
        return False, f"the class name {name}"
    causal_by = _find_causal_evidence(model, lookups)
    return (True, causal_by) if causal_by else (None, "")


def _find_causal_evidence(model: nn.Module, lookups: Lookups) -> str:
    name = type(model).__name__
    if _CAUSAL_CLASS.search(name):
        return f"the class name {name}"
    mask = next((path for path, tensor in model.named_buffers() if is_triangular_mask(tensor)), None)
    if mask is not None:
        return f"the triangular mask {mask}"
    for path, module in model.named_modules():
        if getattr(module, "is_causal", None) is True or getattr(module, "causal", None) is True:
            return f"{path or name}.is_causal"
    if lookups.causal_attention:
        return "attention called with is_causal=True"
    if lookups.triangular_masks:
        return "a triangular mask built in the forward pass"
    return "its generate method" if callable(getattr(model, "generate", None)) else ""


def has_norm_over_batch(model: nn.Module) -> bool:
    """Whether the model contains a batch norm."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())


def count_tied(model: nn.Module) -> int:
    """Count the parameter names whose parameter also has an earlier name."""
    every = [id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False)]
    return len(every) - len(set(every))
