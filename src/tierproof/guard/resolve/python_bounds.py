"""Which releases do not take a Python: pip leaves them out, and uv those alone whose lower bound excludes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from tierproof.guard.resolve.index_page import list_excluding, read_index_pages
from tierproof.guard.resolve.index_settings import IndexSettings
from tierproof.guard.resolve.lock import LockedPackage
from tierproof.guard.resolve.locked_requires import read_locked_metadata

_AT_ONCE = 8


class PythonBounds:
    """Learns, from one resolution to the next, which releases are excluded.

    Args:
        python: full version of the interpreter that is planned for.
        settings: of the indexes.
    """

    def __init__(self, python: str, settings: IndexSettings) -> None:
        self._python = python
        self._settings = settings
        self._excluded: dict[str, dict[Version, str]] = {}
        self._cleared: set[tuple[str, str]] = set()
        self._looked_up: set[str] = set()

    @property
    def excluded(self) -> Mapping[str, Mapping[Version, str]]:
        """The releases that do not take this Python, by name, each with the bound that says so."""
        return self._excluded

    def exclude(self, packages: Sequence[LockedPackage]) -> bool:
        """Look at what each of `packages` declares; tell whether one does not take this Python."""
        asked = [item for item in packages if (item.name, item.version) not in self._cleared]
        environment = self._settings.environment
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            declared = list(pool.map(lambda item: read_locked_metadata(item, environment), asked))
        found = False
        for item, metadata in zip(asked, declared, strict=True):
            if metadata is None or takes(metadata.requires_python, self._python) or not item.version:
                self._cleared.add((item.name, item.version))
                continue
            known = self._excluded.setdefault(item.name, {})
            if not item.direct:  # one at an address has no other release
                known |= list_excluding(read_index_pages(item.name, self._settings), self._python)
            found = found or Version(item.version) not in known or not item.direct
            known[Version(item.version)] = metadata.requires_python
        return found

    def exclude_listed(self, names: Collection[str]) -> bool:
        """Look up all releases of `names` in the index; tell whether some that were not known are excluded."""
        found = False
        for name in names:
            if name in self._looked_up:
                continue
            self._looked_up.add(name)
            new = list_excluding(read_index_pages(name, self._settings), self._python)
            found = found or bool(new)
            if new:
                self._excluded.setdefault(name, {}).update(new)
        return found

    def list_constraints(self, frozen: Collection[str] = ()) -> list[str]:
        """Return the bounds that leave out what is excluded, as requirement lines; none on what is frozen."""
        return [
            f"{name}{','.join(f'!={version}' for version in sorted(versions))}"
            for name, versions in self._excluded.items()
            if name not in frozen
        ]


def takes(requires_python: str, python: str) -> bool:
    """Tell whether a bound allows a Python; one that cannot be read does, as for pip."""
    try:
        return SpecifierSet(requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True
