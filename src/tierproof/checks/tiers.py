"""Which tiers are built, and where each check of them lies, in running order.

A check that explains the findings of others, and costs little, comes first. A new check is one line here.
Nothing is imported, so that the command line can offer the tiers without torch.
"""

from __future__ import annotations

from collections.abc import Mapping

TIERS: Mapping[int, tuple[str, ...]] = {
    1: (
        "registration.registration",
        "shape.shape",
        "batch_independence.batch_independence",
        "causality",
        "padding.padding",
        "gradient_flow.gradient_flow",
        "stability.stability",
        "initialization.initialization",
        "loss.loss",
        "input_influence.input_influence",
        "positions",
        "target_use",
        "scalar_outputs",
        "residual_stream",
        "relative_positions",
        "cross_attention.cross_attention",
        "packing",
        "cache.cache",
        "attention",
        "fused_attention",
        "shifted_windows",
        "dropping",
        "live_tensors",
        "overwrites",
        "trained_parts.trained_parts",
        "modes",
        "optional_outputs",
        "half_precision",
        "saving",
        "moving",
        "memory",
        "speed",
        "on_request.checkpointing",
        "on_request.overfitting",
        "on_request.exporting",
        "on_request.compilation",
    ),
    2: ("attention.attention", "capacity", "robustness", "adversarial", "attribution"),
}
"""Modules below `tierproof.checks.tierN`, by tier N."""


def describe_tiers() -> str:
    """The tiers that are built, for a message: `tier 1`, or `tiers 1 and 2`."""
    numbers = [str(number) for number in sorted(TIERS)]
    if len(numbers) == 1:
        return f"tier {numbers[0]}"
    return f"tiers {', '.join(numbers[:-1])} and {numbers[-1]}"
