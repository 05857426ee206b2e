"""The error of inputs that cannot be worked out or do not fit."""

from __future__ import annotations

from tierproof.errors import TierproofError


class InputError(TierproofError):
    """No inputs could be worked out, or the given inputs do not fit the model."""

    slug = "inputs"
