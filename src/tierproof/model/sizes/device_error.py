"""The error of a device that cannot be used."""

from __future__ import annotations

from tierproof.errors import TierproofError


class DeviceError(TierproofError):
    """The requested device is absent or unusable."""

    slug = "device"
