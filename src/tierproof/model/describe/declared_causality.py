"""Find what declares that a model is causal or that it is not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from torch import nn

from tierproof.core.standing import Standing
from tierproof.model.call.max_length import find_mask_buffers
from tierproof.model.call.spec import ModelSpec
from tierproof.model.observe.lookup_probe import Lookups

_CAUSAL_CLASS = re.compile(
    r"GPT|Gpt|Causal|LMHead|Decoder(?!.*Encoder)|LanguageModel|Llama|Mistral|Mamba|RWKV|(L[Mm])$|Autoregressive"
)
_BIDIRECTIONAL_CLASS = re.compile(r"Encoder(?!.*Decoder)|BERT|Bert|Masked|MLM|Classif|Bidirectional")
_FLAGS = ("causal", "is_causal")


@dataclass(frozen=True)
class Causality:
    """Whether a model is meant to be causal, and what says so; `causal` is None where nothing does."""

    causal: bool | None = None
    by: str = ""
    standing: Standing = Standing.ASSUMED


def read_promises(model: nn.Module, spec: ModelSpec) -> Causality:
    """Read what declares causality before the model has run: the spec, flags, and masks among the buffers.

    A flag of the model itself counts for more than those of its parts. Of its parts, one causal one is enough: an
    encoder-decoder has others beside it.
    """
    if spec.causal is not None:
        return Causality(spec.causal, "ModelSpec.causal", Standing.GIVEN)
    if spec.kind in ("causal-lm", "encoder", "vision"):
        return Causality(spec.kind == "causal-lm", "ModelSpec.kind", Standing.GIVEN)
    if type(model).__module__.startswith("torch.nn."):
        # torch's own decoder is causal where its caller passes a mask: its name promises nothing.
        return Causality()
    flags = _read_flags(model)
    own = next((item for item in flags if "." not in item[0] or item[0].startswith("config.")), None)
    if own is not None:
        return Causality(own[1], f"{own[0]}={own[1]}", Standing.DECLARED)
    causal = next((path for path, value in flags if value), None)
    if causal is not None:
        return Causality(True, f"{causal}=True", Standing.DECLARED)
    if masks := find_mask_buffers(model):
        return Causality(True, f"the triangular mask {masks[0][0]}", Standing.DECLARED)
    if flags:
        return Causality(False, f"{flags[0][0]}=False", Standing.DECLARED)
    return Causality()


def find_causality(
    model: nn.Module, promised: Causality, kind: str | None, lookups: Lookups, *, names_count: bool
) -> Causality:
    """Add to what was promised what the call showed; a class name is the last, and only an assumption.

    Args:
        kind: of a transformers model, by its class and config.
        names_count: the model gives logits over the vocabulary that it reads, and its caller passes no mask: only then
            is a name worth an assumption.
    """
    if promised.standing is Standing.GIVEN:
        return promised
    if kind in ("causal-lm", "encoder", "vision"):
        return Causality(kind == "causal-lm", "its transformers class", Standing.DECLARED)
    if promised.causal is not None or type(model).__module__.startswith("torch.nn."):
        return promised
    if lookups.causal_attention:
        return Causality(True, "attention called with is_causal=True", Standing.DECLARED)
    if lookups.triangular_masks:
        return Causality(True, "a triangular mask built in the forward pass", Standing.DECLARED)
    return _assume_by_name(model) if names_count else Causality()


def _read_flags(model: nn.Module) -> list[tuple[str, bool]]:
    config: Any = getattr(model, "config", None)
    holders = [("", model), ("config", config), *((p, m) for p, m in model.named_modules() if p)]
    found = []
    for path, holder in holders:
        for name in _FLAGS:
            value = getattr(holder, name, None)
            if isinstance(value, bool):
                found.append((f"{path}.{name}".lstrip("."), value))
    if getattr(config, "is_decoder", None) is True:
        found.append(("config.is_decoder", True))
    return found


def _assume_by_name(model: nn.Module) -> Causality:
    name = type(model).__name__
    if _BIDIRECTIONAL_CLASS.search(name):
        return Causality(False, f"the class name {name}")
    if _CAUSAL_CLASS.search(name):
        return Causality(True, f"the class name {name}")
    if callable(getattr(model, "generate", None)):
        return Causality(True, "the name of its method `generate`")
    return Causality()


def has_norm_over_batch(model: nn.Module) -> bool:
    """Whether the model contains a batch norm."""
    return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in model.modules())


def count_tied(model: nn.Module) -> int:
    """Count the parameter names whose parameter also has an earlier name."""
    every = [id(parameter) for _, parameter in model.named_parameters(remove_duplicate=False)]
    return len(every) - len(set(every))
