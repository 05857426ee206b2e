"""The errors of a plan that cannot be made."""

from __future__ import annotations

from tierproof.errors import TierproofError


class PlanError(TierproofError):
    """No plan could be made: no network, an index that refuses, or too slow a search."""

    slug = "no-plan"


class UnknownPackageError(PlanError):
    """No package index knows a requested name."""

    slug = "unknown-package"
