"""Mixtures of experts: how many there are, and how many of them a token is sent to."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import nn

from tierproof.core.report import TraitEvidence
from tierproof.model.observe.forward_census import ForwardCensus

_COUNTS = ("num_local_experts", "num_experts", "n_routed_experts")


def describe_experts(model: nn.Module, census: ForwardCensus) -> TraitEvidence | None:
    """Describe the numbers of experts in the config, and the top-k choices that the forward pass makes."""
    config: Any = getattr(model, "config", None)
    said = [
        f"config.{name}={value}"
        for name in (*_COUNTS, "num_experts_per_tok")
        if isinstance(value := getattr(config, name, None), int) and value > 1
    ]
    if not said:
        routers = [
            path
            for path, _ in model.named_modules()
            if path.rpartition(".")[2] in ("router", "gate", "experts")
        ]
        if not any("expert" in path or "router" in path for path in routers):
            return None
        said = [f"the module {routers[0]}"]
    routes = Counter(census.routed).most_common(1)
    measured = (
        f"top {routes[0][0][0]} of {routes[0][0][1]}, {routes[0][1]} times per forward pass" if routes else ""
    )
    return TraitEvidence("experts", "; ".join(said), measured)
