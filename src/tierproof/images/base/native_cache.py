"""Keep on disk which releases ship compiled code, by release and target."""

from __future__ import annotations

from pathlib import Path

from tierproof.core.user_folders import find_user_cache_folder
from tierproof.images.base.fact_cache import FactCache


def open_native_cache(path: Path | None = None) -> FactCache[bool]:
    """Open the cache of answers; in the user's cache folder by default."""
    return FactCache(find_user_cache_folder() / "native.json" if path is None else path, "native", _read)


def _read(fact: object) -> bool:
    if not isinstance(fact, bool):
        raise TypeError(f"true or false is expected, not {fact!r}")
    return fact
