"""Where what can be made again is kept: in the user's cache folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def find_user_cache_folder() -> Path:
    """Give tierproof's folder among the user's caches; `$TIERPROOF_CACHE` overrides it. Not made here."""
    if override := os.environ.get("TIERPROOF_CACHE"):
        return Path(override)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if Path(base).is_absolute():  # the XDG specification has relative ones ignored
        return Path(base) / "tierproof"
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "tierproof" / "cache"
        )
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "tierproof"
