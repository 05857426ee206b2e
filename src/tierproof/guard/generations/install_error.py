"""The error of packages that cannot be added."""

from __future__ import annotations

from tierproof.errors import TierproofError


class InstallError(TierproofError):
    """Packages could not be fetched, verified or activated; the existing installation is unchanged."""

    slug = "install-failed"
