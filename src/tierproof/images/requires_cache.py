"""What releases declare, kept by name and version: a release never changes what it declares."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from tierproof.core.atomic_write import write_text_atomically
from tierproof.errors import OutputError
from tierproof.guard.cache_folder import find_user_cache_folder

_FORMAT = 1
# A release that an index lacks may still be published there.
_ABSENT_FOR_S = 7 * 86_400.0

T = TypeVar("T")


class RequiresCache:
    """A file that maps `name==version` to Requires-Dist lines.

    A file that is absent, damaged or of another format counts as empty; one that cannot be written is left.

    Args:
        path: of the file; in the user's cache folder by default.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = find_user_cache_folder() / "requires.json" if path is None else path
        self._known = self._read()
        self._native = self._read_part("native", bool)
        self._absent = self._read_part("absent", float)

    def is_absent(self, name: str, version: str) -> bool:
        """Whether the index lacked a release, or what it needs could not be told, within the last days."""
        return 0 <= time.time() - self._absent.get(f"{name}=={version}", 0.0) < _ABSENT_FOR_S

    def add_absent(self, releases: Iterable[tuple[str, str]]) -> None:
        """Keep which releases need not be asked for again soon."""
        found = {f"{name}=={version}": time.time() for name, version in releases}
        if found:
            self._absent |= found
            self._write()

    def is_native(self, name: str, version: str) -> bool | None:
        """Whether a release ships native code, or None where that is not known."""
        return self._native.get(f"{name}=={version}")

    def add_native(self, found: Mapping[tuple[str, str], bool]) -> None:
        """Keep which releases ship native code."""
        self._native |= {f"{name}=={version}": is_native for (name, version), is_native in found.items()}
        self._write()

    def get(self, name: str, version: str) -> tuple[str, ...] | None:
        """The lines, or None where they are not known."""
        return self._known.get(f"{name}=={version}")

    def add(self, found: Mapping[tuple[str, str], tuple[str, ...]]) -> None:
        """Keep what was found, with what another process has kept meanwhile."""
        if not found:
            return
        self._known = {
            **self._read(),
            **self._known,
            **{f"{name}=={version}": lines for (name, version), lines in found.items()},
        }
        self._write()

    def _write(self) -> None:
        document = {
            "format": _FORMAT,
            "requires": self._known,
            "native": {**self._read_part("native", bool), **self._native},
            "absent": {**self._read_part("absent", float), **self._absent},
        }
        with contextlib.suppress(OSError, OutputError):  # without it the answer only takes longer
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(self.path, json.dumps(document, sort_keys=True))

    def _read_part(self, name: str, kind: type[T]) -> dict[str, T]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))[name]
            return {str(key): value for key, value in found.items() if isinstance(value, kind)}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _read(self) -> dict[str, tuple[str, ...]]:
        try:
            document = json.loads(self.path.read_text(encoding="utf-8"))
            if document["format"] != _FORMAT:
                return {}
            return {
                str(key): tuple(str(line) for line in lines) for key, lines in document["requires"].items()
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}
