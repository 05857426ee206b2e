"""What tests of images share."""

from __future__ import annotations

from loopback import site

__all__ = ["site"]
