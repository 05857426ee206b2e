"""Load the checks of the tiers that are built, and select among them."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from tierproof.checks.check import Check
from tierproof.checks.tiers import TIERS, describe_tiers
from tierproof.errors import UsageError


def load_checks(tier: int | str = "all") -> tuple[Check, ...]:
    """Import the checks of one tier, or of all tiers that are built, in running order.

    Raises:
        UsageError: for a tier that is not built.
    """
    if tier != "all" and tier not in TIERS:
        raise UsageError(
            f"this version of tierproof has no checks of tier {tier}",
            hint=f"This version has {describe_tiers()}; `all` selects every check.",
        )
    return tuple(
        importlib.import_module(f"tierproof.checks.tier{number}.{name}").CHECK
        for number, names in TIERS.items()
        if tier in ("all", number)
        for name in names
    )


def choose_tier(tier: int | str, only: Sequence[str]) -> int | str:
    """The tier of the checks in `only`, where full codes or prefixes name one; else `tier`."""
    named = {int(code[1]) for code in only if code[:1].upper() == "T" and code[1:2].isdigit()}
    built = named & set(TIERS)
    if not built:
        return tier
    return built.pop() if len(built) == 1 else "all"


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
        raise UsageError(
            f"this version of tierproof has no checks of tier {tier}",
            hint=f"This version has {describe_tiers()}; `all` selects every check.",
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
        raise UsageError(
            "the selection of checks is empty",
            hint="Name fewer checks in `skip` (`--skip`), or more in `only` (`--only`).",
        )
    return selected
