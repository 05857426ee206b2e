"""The error of a model that cannot be run."""

from __future__ import annotations

from tierproof.errors import TierproofError


class ForwardError(TierproofError):
    """The forward pass raised on every input tried.

    The message names the input shapes tried and the layers already executed.
    """

    slug = "forward-failed"
