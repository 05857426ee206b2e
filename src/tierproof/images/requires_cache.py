"""What releases declare, kept by name and version: a release never changes what it declares."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.errors import OutputError
from tierproof.guard.cache_folder import find_user_cache_folder

_FORMAT = 1


class RequiresCache:
    """A file that maps `name==version` to Requires-Dist lines.

    A file that is absent, damaged or of another format counts as empty; one that cannot be written is left.

    Args:
        path: of the file; in the user's cache folder by default.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = find_user_cache_folder() / "requires.json" if path is None else path
        self._known = self._read()

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
        document = {"format": _FORMAT, "requires": self._known}
        with contextlib.suppress(OSError, OutputError):  # without it the answer only takes longer
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_text_atomically(self.path, json.dumps(document, sort_keys=True))

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
