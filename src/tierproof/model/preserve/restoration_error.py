"""The error of a model that could not be put back."""

from __future__ import annotations

from tierproof.errors import TierproofError


class RestorationError(TierproofError):
    """Part of a model could not be restored; the message names it. Everything else was restored."""

    slug = "model-not-restored"
