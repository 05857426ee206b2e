"""Where this user's caches and records are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tierproof.errors import UsageError


def find_user_cache_folder() -> Path:
    """Give tierproof's folder for what can be fetched or made again. It is not created here.

    `$TIERPROOF_CACHE` overrides it, then `$XDG_CACHE_HOME/tierproof`.
    """
    chosen = _read_override("TIERPROOF_CACHE", "XDG_CACHE_HOME")
    if chosen is not None:
        return chosen
    if sys.platform == "win32":
        return _local_app_data() / "tierproof" / "cache"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "tierproof"


def find_user_data_folder() -> Path:
    """Give tierproof's folder for what cannot be made again. It is not created here.

    `$TIERPROOF_DATA` overrides it, then `$XDG_DATA_HOME/tierproof`.

    Raises:
        UsageError: `$TIERPROOF_DATA` is relative, and so would be another folder in each working directory.
    """
    chosen = _read_override("TIERPROOF_DATA", "XDG_DATA_HOME")
    if chosen is not None:
        return chosen
    if sys.platform == "win32":
        return _local_app_data() / "tierproof"
    below_home = "Library/Application Support" if sys.platform == "darwin" else ".local/share"
    return Path.home() / below_home / "tierproof"


def _read_override(own: str, xdg: str) -> Path | None:
    if override := os.environ.get(own):
        if own == "TIERPROOF_DATA" and not Path(override).is_absolute():
            raise UsageError(
                f"TIERPROOF_DATA is {override!r}, which is a relative path",
                hint="Set it to an absolute path, so that it means the same folder wherever you start Python.",
            )
        return Path(override)
    base = os.environ.get(xdg, "")
    # The XDG specification requires that relative paths are ignored.
    return Path(base) / "tierproof" if Path(base).is_absolute() else None


def _local_app_data() -> Path:
    return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
