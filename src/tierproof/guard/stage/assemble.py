"""Assemble a generation in the staging folder: what is kept of the present one, and what was fetched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tierproof.guard.capture.inventory import Inventory, PackageFiles
from tierproof.guard.generations.generation import (
    Generation,
    PastRequest,
    Position,
    compute_id,
    find_digests,
    name_generation,
)
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.judge.ways import USE_WORKER
from tierproof.guard.resolve.lock import Lock
from tierproof.guard.resolve.pylock import strip_entry


@dataclass(frozen=True, slots=True)
class GenerationContents:
    """What a new generation must contain.

    Attributes:
        fetched: names that come from `lock`.
        kept: names that come from the present generation.
        lock: the resolution; None if nothing is fetched.
        present: the generation that packages are kept from, or None.
        requests: of the new generation, oldest first.
        shadows: names of the base packages that it overrides.
        waived: names of base packages on which bounds are waived.
    """

    fetched: tuple[str, ...]
    kept: tuple[str, ...]
    lock: Lock | None
    present: Generation | None
    requests: tuple[PastRequest, ...]
    shadows: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()

    @property
    def position(self) -> Position:
        """In front of the base where something is shadowed, else behind it."""
        return Position.FRONT if self.shadows else Position.BEHIND

    @property
    def entries(self) -> dict[str, Mapping[str, Any]]:
        """The lock's table of each package, free of credentials."""
        entries: dict[str, Mapping[str, Any]] = {}
        if self.present is not None:
            entries = {name: self.present.entries.get(name, {"name": name}) for name in self.kept}
        if self.lock is not None:
            found = {item.name: item.entry for item in self.lock.packages}
            entries |= {name: strip_entry(found[name]) for name in self.fetched}
        return entries

    def foresee_id(self) -> str | None:
        """Return the id before anything is fetched; None if the index gave no hashes to name it by."""
        entries = self.entries
        locked = {name: (self._version(name), find_digests(entries[name])) for name in entries}
        for name in self.kept:
            if not locked[name][1] and self.present is not None:
                locked[name] = (locked[name][0], frozenset({self.present.inventory.packages[name].digest()}))
        if not all(version and digests for version, digests in locked.values()):
            return None
        return name_generation(locked, self.position)

    def describe(self, packages: Mapping[str, PackageFiles], *, tried: bool) -> Generation:
        """Describe the generation that holds these files."""
        return Generation(
            compute_id(self.entries, packages, self.position),
            self.position,
            self.requests,
            self.shadows,
            self.waived,
            self.entries,
            Inventory(packages),
            tried,
        )

    def _version(self, name: str) -> str:
        if self.present is not None and name in self.kept:
            return self.present.versions[name]
        found = None if self.lock is None else self.lock.get(name)
        return "" if found is None else found.version


def link_kept(
    store: GenerationStore, contents: GenerationContents, folder: Path, fetched: Mapping[str, PackageFiles]
) -> dict[str, PackageFiles]:
    """Bring the packages that are kept into the staged `folder`, as links to the same files where possible.

    Generations are immutable, so two may share a file.

    Raises:
        InstallError: a kept file is missing, or a fetched package has a different file of the same name.
    """
    if contents.present is None or not contents.kept:
        return {}
    source = store.path(contents.present.id)
    brought = {path: stamp for files in fetched.values() for path, stamp in files.iterate()}
    kept = {name: contents.present.inventory.packages[name] for name in contents.kept}
    for name, files in kept.items():
        for path, stamp in files.iterate():
            target = folder / path
            if path in brought:
                if brought[path] != stamp and not _is_stray(path):
                    owner = next(new for new, each in fetched.items() if path in dict(each.iterate()))
                    raise InstallError(
                        f"refused: {owner} and {name}, which was added earlier, both contain {path}, with different "
                        "contents",
                        hint=f"Run `tierproof uninstall {name}` first, or run the code that needs {owner} in a process "
                        f"of its own: {USE_WORKER}.",
                    )
                continue
            if target.exists():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(source / path, target)
    return kept


def keep_needed(
    generation: Generation, requires: Mapping[str, Collection[str]], roots: Collection[str]
) -> set[str]:
    """Return the added packages that `roots` lead to by what each requires.

    Args:
        generation: whose packages.
        requires: normalised names that each added package requires.
        roots: names asked for.
    """
    known = set(generation.versions)
    needed: set[str] = set()
    open_ends = [name for name in roots if name in known]
    while open_ends:
        name = open_ends.pop()
        if name in needed:
            continue
        needed.add(name)
        open_ends += [each for each in requires.get(name, ()) if each in known]
    return needed


def _is_stray(path: str) -> bool:
    """Tell whether a file lies where many wheels leave strays: beside the packages, or in a top folder of tests."""
    parts = path.split("/")
    return len(parts) == 2 or parts[1] in ("tests", "test", "docs", "examples")


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError as error:
        raise InstallError(
            f"{source}, a file of the added packages, is missing",
            hint="Run `tierproof recover` to restore the added packages, or `tierproof rollback` to go back to "
            "earlier ones.",
        ) from error
    except OSError:  # another file system, or one without hard links
        shutil.copy2(source, target)
