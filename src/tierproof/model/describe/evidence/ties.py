"""Tied weights: one parameter under several names."""

from __future__ import annotations

from typing import Any

from torch import nn

from tierproof.core.report import TraitEvidence

_SHOWN = 2


def describe_ties(model: nn.Module) -> TraitEvidence | None:
    """Describe what the config says of tied embeddings, and which names share a parameter."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    groups = [group for group in names.values() if len(group) > 1]
    declared = getattr(getattr(model, "config", None), "tie_word_embeddings", None)
    said: Any = f"config.tie_word_embeddings={declared}" if isinstance(declared, bool) else ""
    if not groups and not declared:
        return None
    shown = "; ".join(" = ".join(group[:3]) for group in groups[:_SHOWN])
    more = f"; {len(groups) - _SHOWN} more" if len(groups) > _SHOWN else ""
    return TraitEvidence(
        "tied weights", said, f"{shown}{more}" if groups else "no two names share a parameter"
    )
