"""Every check, in the order they run: what explains other findings, and costs little, comes first."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from tierproof.checks.check import Check
from tierproof.errors import UsageError

_MODULES = (
    "registration.registration",
    "shape.shape",
    "batch_independence",
    "causality",
    "padding.padding",
    "gradient_flow.gradient_flow",
    "stability.stability",
    "initialization.initialization",
    "loss",
    "input_influence.input_influence",
    "cross_attention",
    "cache",
    "attention",
    "fused_attention",
    "live_tensors",
    "saving",
    "moving",
    "memory",
    "speed",
    "checkpointing",
    "overfitting",
    "exporting",
    "compilation",
)


def load_checks() -> tuple[Check, ...]:
    """All checks of all tiers that are built."""
    return tuple(importlib.import_module(f"tierproof.checks.tier1.{name}").CHECK for name in _MODULES)


def select_checks(
    checks: Sequence[Check],
    *,
    tier: int | str = 1,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
) -> tuple[Check, ...]:
    """Select checks by tier and code; a code may be a prefix such as `T1` or `T1-G`.

    Raises:
        UsageError: for a tier that is not built, a code that names nothing, or a selection that is empty.
    """
    tiers = {check.tier for check in checks}
    if tier != "all" and tier not in tiers:
        built = ", ".join(str(number) for number in sorted(tiers))
        raise UsageError(
            f"tier {tier} is not part of this version of tierproof", hint=f"Built: tier {built}."
        )
    for code in (*only, *skip):
        if not any(check.code.startswith(code.upper()) for check in checks):
            known = " ".join(check.code for check in checks)
            raise UsageError(f"unknown check {code!r}", hint=f"Known checks: {known}")
    selected = tuple(
        check
        for check in checks
        if tier in ("all", check.tier)
        and (not only or any(check.code.startswith(code.upper()) for code in only))
        and not any(check.code.startswith(code.upper()) for code in skip)
    )
    if not selected:
        raise UsageError("no check is left to run", hint="Loosen --only or --skip.")
    return selected
