"""The error of a heal that cannot be done."""

from __future__ import annotations

from tierproof.errors import TierproofError


class HealError(TierproofError):
    """What is torn could not be mended, and was left as it was."""

    slug = "heal-failed"
