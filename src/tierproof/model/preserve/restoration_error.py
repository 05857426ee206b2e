"""The error of a model that could not be put back."""

from __future__ import annotations

from tierproof.errors import TierproofError


class RestorationError(TierproofError):
    """Part of a model could not be put back; the message names it, everything else was put back."""

    slug = "model-not-restored"
