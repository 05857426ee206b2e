"""How a model tells positions apart: learned, sinusoidal, rotary, relative or not at all."""

from __future__ import annotations

from typing import Any

from torch import nn

from tierproof.core.report import TraitEvidence
from tierproof.model.observe.forward_census import ForwardCensus
from tierproof.model.observe.lookup_probe import Lookups


def describe_positions(
    model: nn.Module, positions: str, lookups: Lookups, census: ForwardCensus
) -> TraitEvidence | None:
    """Describe what the config says of positions, and which table or rotation the forward pass uses."""
    config: Any = getattr(model, "config", None)
    said = []
    kind = getattr(config, "position_embedding_type", None)
    if isinstance(kind, str):
        said.append(f"config.position_embedding_type={kind!r}")
    said += [
        f"config.{name}={value:g}"
        for name in ("rope_theta", "relative_attention_num_buckets")
        if isinstance(value := getattr(config, name, None), int | float) and not isinstance(value, bool)
    ]
    seen = []
    if lookups.position_rows:
        seen.append(f"a table of {max(lookups.position_rows)} rows is indexed with 0, 1, 2, …")
    if census.ran("cos", "sin"):
        seen.append("sines and cosines are computed in the forward pass")
    if not said and not seen and positions == "unknown":
        return None
    declared = "; ".join(said) or (
        f"{positions}: by names of modules, parameters or buffers" if positions != "unknown" else ""
    )
    return TraitEvidence("positions", declared, "; ".join(seen))
