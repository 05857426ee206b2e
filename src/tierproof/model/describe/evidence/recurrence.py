"""Recurrence and state carried between calls: recurrent layers, state spaces, caches."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import nn

from tierproof.core.report import TraitEvidence
from tierproof.model.observe.forward_census import ForwardCensus

_OPERATIONS = (
    "lstm",
    "gru",
    "rnn_tanh",
    "rnn_relu",
    "cumsum",
    "logcumsumexp",
    "cumprod",
    "selective_scan_fn",
)


def describe_recurrence(model: nn.Module, recurrent: bool, census: ForwardCensus) -> TraitEvidence | None:
    """Describe recurrence: the layers or the model type that declare it, and the operations that ran."""
    if not recurrent:
        return None
    layers = Counter(type(module).__name__ for module in model.modules() if isinstance(module, nn.RNNBase))
    config: Any = getattr(model, "config", None)
    declared = ", ".join(f"{count} {kind}" for kind, count in layers.items())
    declared = declared or f"config.model_type={getattr(config, 'model_type', '')!r}"
    ran = [name for name in _OPERATIONS if census.operations[name]]
    return TraitEvidence("recurrence", declared, f"{', '.join(ran)} ran" if ran else "")


def describe_cache(model: nn.Module, accepts: bool) -> TraitEvidence | None:
    """Describe whether the forward pass accepts a cache; T1-CACHE checks that the cache is correct."""
    if not accepts:
        return None
    config: Any = getattr(model, "config", None)
    use = getattr(config, "use_cache", None)
    said = "forward takes a cache" + (f"; config.use_cache={use}" if isinstance(use, bool) else "")
    return TraitEvidence("cache", said, "")
