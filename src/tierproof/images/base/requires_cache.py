"""What releases declare, kept by name and version: a release never changes what it declares."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from tierproof.core.user_folders import find_user_cache_folder
from tierproof.images.base.fact_cache import FactCache

# A release that an index lacks may still be published there.
_ABSENT_FOR_S = 7 * 86_400.0


class RequiresCache:
    """A file that maps `name==version` to Requires-Dist lines.

    A file that is absent, damaged or of another format counts as empty; one that cannot be written is left.

    Args:
        path: of the file; in the user's cache folder by default.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = find_user_cache_folder() / "requires.json" if path is None else path
        self._facts = FactCache(self.path, "requires", _read_lines)
        self._absent = FactCache(self.path.with_name(f"absent-{self.path.name}"), "absent", float)

    def get(self, name: str, version: str) -> tuple[str, ...] | None:
        """The lines, or None where they are not known."""
        return self._facts.get(f"{name}=={version}")

    def add(self, found: Mapping[tuple[str, str], tuple[str, ...]]) -> None:
        """Keep what was found, with what another process has kept meanwhile."""
        self._facts.add({f"{name}=={version}": lines for (name, version), lines in found.items()})

    def is_absent(self, name: str, version: str) -> bool:
        """Whether the index had no such release, or no readable requirements of it, within the last 7 days."""
        return 0 <= time.time() - (self._absent.get(f"{name}=={version}") or 0.0) < _ABSENT_FOR_S

    def add_absent(self, releases: Iterable[tuple[str, str]]) -> None:
        """Keep which releases need not be asked for again soon."""
        self._absent.add({f"{name}=={version}": time.time() for name, version in releases})


def _read_lines(lines: Iterable[object]) -> tuple[str, ...]:
    return tuple(str(line) for line in lines)
