"""Where this user's caches and records live."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """The folder for what can be fetched again; `$TIERPROOF_CACHE` overrides it. Not created here."""
    return _choose("TIERPROOF_CACHE", "XDG_CACHE_HOME", ".cache", "Library/Caches")


def data_folder() -> Path:
    """The folder for what cannot be fetched again; `$TIERPROOF_DATA` overrides it. Not created here."""
    return _choose("TIERPROOF_DATA", "XDG_DATA_HOME", ".local/share", "Library/Application Support")


def _choose(own: str, xdg: str, below_home: str, below_home_on_macos: str) -> Path:
    if override := os.environ.get(own):
        return Path(override)
    base = os.environ.get(xdg, "")
    if Path(base).is_absolute():  # the XDG specification has relative ones ignored
        return Path(base) / "tierproof"
    return Path.home() / (below_home_on_macos if sys.platform == "darwin" else below_home) / "tierproof"
