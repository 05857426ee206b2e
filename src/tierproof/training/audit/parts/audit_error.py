"""A training step that cannot be audited."""

from __future__ import annotations

from tierproof.errors import TierproofError


class AuditError(TierproofError):
    """The step cannot be audited: a part was not found, it raises, or it trains nothing."""

    slug = "cannot-audit"
