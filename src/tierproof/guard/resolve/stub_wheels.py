"""The base as wheels that hold metadata alone, written once for each base and kept in the user's cache folder.

Given to uv by address, a frozen package is exactly the version that is installed: also one with a local
version, one from a URL, or an editable one, and with the dependencies that it really declares; and no index is
asked for it. Writing some two thousand small files takes longer than resolving; and under one lasting address
uv keeps what it has read of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from tierproof.core.user_folders import find_user_cache_folder
from tierproof.guard.capture.base import Base
from tierproof.guard.capture.declared_bounds import Bound
from tierproof.guard.resolve.write_stubs import BOUNDS, FLAT, name_stub, write_stubs

_FORMAT = 2
_KEPT = 6
_KEPT_FOR_S = 2 * 86400.0


class StubWheels:
    """The stub wheels of one base.

    Args:
        base: what is installed.
        spare: an empty folder, which the caller removes: used where the cache folder cannot be written.
    """

    def __init__(self, base: Base, spare: Path) -> None:
        self._base = base
        self._spare = spare

    @property
    def flat(self) -> Path:
        """The folder of all of the base's stubs, as one choice among others (`--find-links`)."""
        return self._folder / FLAT

    @cached_property
    def bounds(self) -> tuple[Bound, ...]:
        """The bounds that apply within the base, extras aside; also those that it breaks."""
        return tuple(Bound(*each) for each in json.loads((self._folder / BOUNDS).read_text(encoding="utf-8")))

    def find_stub(self, name: str) -> Path:
        """Return the stub of one package of the base (normalised name)."""
        return self.flat / name_stub(name, str(self._base.version(name)))

    @cached_property
    def _folder(self) -> Path:
        try:
            parent = find_user_cache_folder() / "stubs"
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = parent / _fingerprint(self._base)
            if self._is_whole(folder):
                os.utime(folder)
                return folder
            _prune(parent)
            return _make(folder, lambda new: write_stubs(self._base, new), lambda: self._is_whole(folder))
        except OSError:
            self._spare.mkdir(parents=True)
            write_stubs(self._base, self._spare)
            return self._spare

    def _is_whole(self, folder: Path) -> bool:
        count = len(self._base.by_name)
        return _count(folder / FLAT) == count and (folder / BOUNDS).exists()


def _fingerprint(base: Base) -> str:
    """Return a name that changes with anything that the stubs are made from."""
    items: Iterable[object] = ((item.name, item.version, item.requires) for item in base.by_name.values())
    text = repr((_FORMAT, sorted(items, key=repr), sorted(base.markers.items())))
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]


def _make(final: Path, write: Callable[[Path], None], is_whole: Callable[[], bool]) -> Path:
    """Write a folder beside its place and move it there whole; one that is there and damaged goes."""
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=final.parent))
    try:
        write(new)
        if final.exists() and not is_whole():
            with contextlib.suppress(OSError):  # another process may have put it right meanwhile
                final.rename(new.with_name(f"{new.name}-damaged"))
        with contextlib.suppress(OSError):  # another process was faster: its folder holds the same
            new.rename(final)
    finally:
        for path in (new, new.with_name(f"{new.name}-damaged")):
            shutil.rmtree(path, ignore_errors=True)
    return final


def _prune(parent: Path) -> None:
    """Remove what nobody has used for two days, the latest few aside."""
    with contextlib.suppress(OSError):
        entries = sorted(parent.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in entries[_KEPT:]:
            if time.time() - path.stat().st_mtime > _KEPT_FOR_S:
                shutil.rmtree(path, ignore_errors=True)


def _count(folder: Path) -> int:
    try:
        return len(os.listdir(folder))  # noqa: PTH208 - names are enough
    except OSError:
        return -1
