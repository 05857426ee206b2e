"""The error of a heal that cannot be done."""

from __future__ import annotations

from tierproof.errors import TierproofError


class HealError(TierproofError):
    """A torn package could not be repaired, and was left as it was."""

    slug = "heal-failed"
