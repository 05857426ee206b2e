"""The site directories under examination: their distributions, owners of files, and first sights."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from tierproof.guard.capture.broken_bounds import BrokenBound, find_broken_bounds
from tierproof.guard.capture.installed import InstalledDistribution, iterate_installed
from tierproof.guard.capture.loaded import LoadedModule
from tierproof.guard.capture.owner import Owners, find_stashes, list_stashes, undo_stash
from tierproof.guard.capture.record import (
    RecordEntry,
    find_mismatches,
    has_digest,
    parse_record,
    read_own_record,
    read_record_text,
    sift_record,
)
from tierproof.guard.capture.vendored_entry import drop_vendored
from tierproof.guard.mend.first_sight import FirstSight, find_duplicates, sight
from tierproof.guard.mend.heal_journal import PREFIX
from tierproof.guard.mend.site_memory import SiteMemory
from tierproof.guard.mend.torn import DiskPackage
from tierproof.guard.system.search_path import read_search_path

# Marks of a path to which pip or a heal has moved a file.
_ASIDE = ("/~", "/pip-uninstall-", f"/{PREFIX}")
_HEAL_FOLDER = re.compile(rf"/{re.escape(PREFIX)}[^/]+/(?:aside|stage)/")


class Site:
    """Everything on disk that a judgement needs; read at once, RECORDs only when asked for.

    Args:
        folders: site directories; links are resolved, as the kernel does in its maps.
    """

    def __init__(self, folders: Iterable[str | Path]) -> None:
        roots = dict.fromkeys(os.path.realpath(folder) for folder in folders)
        existing = [root for root in roots if Path(root).is_dir()]
        self.memory = SiteMemory.of(map(Path, existing))
        self._records: dict[Path, tuple[RecordEntry, ...]] = {}
        self._digests: dict[Path, dict[str, str]] = {}
        self._stashes: dict[Path, tuple[str, ...]] = {}
        self.distributions = tuple(iterate_installed(existing, self.memory))
        self.roots = tuple(dict.fromkeys(each.root for each in self.distributions)) or tuple(
            Path(root) for root in existing
        )
        self._prefixes = tuple(f"{root}/" for root in self.roots)
        self.first_sights: dict[Path, FirstSight] = {}
        self.first_seen: list[Path] = []
        for root in self.roots:
            self.first_sights[root], is_first = sight(
                root, self.distributions, self.read_record, self.memory.changed_at
            )
            if is_first:
                self.first_seen.append(root)
        self._duplicates = find_duplicates(self.distributions)
        self._by_name: dict[str, InstalledDistribution] = {}
        for each in self.distributions:
            self._by_name.setdefault(each.name, each)
        self.memory.save(self.roots)

    @classmethod
    def of_this_interpreter(cls) -> Site:
        """The site directories on sys.path; what a package carries along in its own folder is none."""
        return cls(entry or "." for entry in drop_vendored(read_search_path()))

    @cached_property
    def owners(self) -> Owners:
        """Every file of every distribution; of two that name one file, the one installed first owns it."""
        return Owners(sorted(self.distributions, key=self.memory.changed_at), self.read_record)

    @cached_property
    def broken_bounds(self) -> tuple[BrokenBound, ...]:
        """The declared requirements that do not hold now."""
        return find_broken_bounds(self.distributions)

    def find_new_bounds(self) -> tuple[BrokenBound, ...]:
        """The requirements that do not hold now and did at first sight."""
        known = {key for first_sight in self.first_sights.values() for key in first_sight.bounds or ()}
        return tuple(bound for bound in self.broken_bounds if bound.describe() not in known)

    def find_root(self, path: str) -> Path | None:
        """The site directory that `path` (resolved) lies in; the innermost where they nest."""
        if not path.startswith(self._prefixes):
            return None
        inside = [root for root in self.roots if path.startswith(f"{root}/")]
        return max(inside, key=lambda root: len(str(root)))

    def place(self, modules: Iterable[LoadedModule]) -> list[tuple[LoadedModule, Path]]:
        """The modules that come from a site directory, each with its file's real path."""
        folders: dict[str, str] = {}
        found = []
        for module in modules:
            folder, name = os.path.split(module.file)
            if folder not in folders:
                folders[folder] = os.path.realpath(folder)
            real = f"{folders[folder]}/{name}"
            if self.find_root(real):
                found.append((module, Path(real)))
        return found

    def find(self, name: str) -> InstalledDistribution | None:
        """The distribution of that name that the path leads to first."""
        return self._by_name.get(name)

    def read_record(self, distribution: InstalledDistribution) -> tuple[RecordEntry, ...]:
        """The files of a distribution, by its RECORD or a generation's inventory; read once."""
        path = distribution.metadata_path
        if path not in self._records:
            self._records[path] = read_own_record(distribution)
        return self._records[path]

    def restore(self, path: str, known: Iterable[str] = ()) -> Path | None:
        """Return the path that a mapped library had before pip or a heal moved it aside; None outside every site.

        Args:
            path: as the kernel shows it.
            known: further top-level names, of what is loaded and perhaps gone from disk.
        """
        # What a heal moved aside was pip's own stash, where that lay in a folder that several share.
        path = _HEAL_FOLDER.sub("/", path)
        root = self.find_root(path)
        if root is not None:
            if "/~" not in path:
                return Path(path)
            names = [entry.name for entry in root.iterdir()]
            return undo_stash(Path(path), root, [*names, *known])
        # Single files pip moves into a temporary folder of this name.
        if "/pip-uninstall-" in path:
            return self.owners.find_by_file_name(path.rpartition("/")[2])
        return None

    def find_changed_since(self, moment: float | None) -> tuple[InstalledDistribution, ...]:
        """Distributions put there at or after `moment`; since first sight where no moment is known."""
        return tuple(
            each
            for each in self.distributions
            if self.memory.changed_at(each)
            >= (self.first_sights[each.root].seen_at if moment is None else moment)
        )

    def find_seen_library(self, device: int, inode: int) -> tuple[str, str] | None:
        """Distribution and version of a library that was seen on disk once."""
        for first_sight in self.first_sights.values():
            found = first_sight.find_library(device, inode)
            if found is not None:
                return found
        return None

    def find_seen_versions(self, name: str) -> tuple[str, ...]:
        """The versions that were there at first sight and later, the first one first."""
        found = (first_sight.list_versions(name) for first_sight in self.first_sights.values())
        return next((versions for versions in found if versions), ())

    def examine(self, name: str, *, look_at_all: bool = True) -> DiskPackage:
        """Capture what the disk holds of `name`, less what was already amiss at first sight.

        Args:
            name: of the distribution, normalised.
            look_at_all: look at each of its files, even where no folder of theirs has changed since the last look.
        """
        distribution = self.find(name)
        if distribution is None:
            names = (name, name.replace("-", "_"))
            found = [stash for root in self.roots for stash in self._find_stashes(root, names)]
            return DiskPackage(stashes=tuple(found))
        root = distribution.root
        wrong: tuple[str, ...] = ()
        if look_at_all:
            wrong = self._find_wrong(distribution)
        elif not self.memory.is_whole(distribution):
            wrong = self._find_wrong(distribution, is_changed=True)
        duplicates = self._duplicates.get(name, ())
        overwritten, by = self._find_overwritten(distribution, wrong)
        return DiskPackage(
            distribution.version,
            tuple(path for path in wrong if path not in overwritten),
            duplicates if duplicates != self.first_sights[root].duplicates.get(name, ()) else (),
            installer=distribution.installer,
            changed_at=self.memory.changed_at(distribution),
            overwritten_by=by,
            stashes=self._find_stashes_of(distribution),
        )

    def _find_overwritten(
        self, distribution: InstalledDistribution, wrong: Iterable[str]
    ) -> tuple[frozenset[str], str]:
        """Those of the files `wrong` that are as the RECORD of another distribution says, and which that is."""
        found: set[str] = set()
        by: dict[str, None] = {}
        for path in wrong:
            for other in self.owners.find_all(distribution.root / path):
                if other.name != distribution.name and self._holds(other, path):
                    found.add(path)
                    by[f"{other.name} {other.version}"] = None
        return frozenset(found), ", ".join(by)

    def holds_as_recorded(self, distribution: InstalledDistribution, path: Path) -> bool:
        """Tell whether the file at `path` is there as the RECORD of `distribution` says, by its hash."""
        inside = path.is_relative_to(distribution.root) and path.is_file()
        return inside and self._holds(distribution, path.relative_to(distribution.root).as_posix())

    def _holds(self, distribution: InstalledDistribution, path: str) -> bool:
        if distribution.metadata_path not in self._digests:
            entries = self.read_record(distribution)
            self._digests[distribution.metadata_path] = {each.path: each.digest for each in entries}
        digest = self._digests[distribution.metadata_path].get(path, "")
        return bool(digest) and has_digest(distribution.root / path, digest)

    def _find_wrong(
        self, distribution: InstalledDistribution, *, is_changed: bool = False
    ) -> tuple[str, ...]:
        """Files that are not as RECORD says and were so when they were last looked at.

        Args:
            distribution: its every file is looked at.
            is_changed: whether it is known to be another than is remembered; if all is well, so it is noted.
        """
        began, first_sight = time.time(), self.first_sights[distribution.root]
        if distribution.root in self.first_seen:  # every file was looked at a moment ago
            self.memory.note_whole(distribution, self.read_record(distribution), first_sight.seen_at)
            return ()
        verified_until = self.memory.verified_until(distribution)
        since = max(first_sight.seen_at, verified_until)
        if verified_until:  # then little has changed, and the rest of a long RECORD need not be parsed
            text = read_record_text(distribution.metadata_path)
            entries = parse_record(sift_record(distribution.root, text, hash_changed_since=since))
        else:
            entries = self.read_record(distribution)
        found = find_mismatches(distribution.root, entries, hash_changed_since=since)
        known = set(first_sight.dirty.get(distribution.name, ()))
        wrong = tuple(path for path in found if path not in known)
        is_changed |= any(entry.path not in known for entry in entries)
        if is_changed and not wrong:
            self.memory.note_whole(distribution, self.read_record(distribution), began)
        return wrong

    def _find_stashes_of(self, distribution: InstalledDistribution) -> tuple[str, ...]:
        if not self._list_stashes(distribution.root):
            return ()
        tops = self.memory.recall_tops(distribution)
        return self._find_stashes(
            distribution.root,
            tops or {entry.path.partition("/")[0] for entry in self.read_record(distribution)},
        )

    def _find_stashes(self, root: Path, names: Iterable[str]) -> tuple[str, ...]:
        stashes = self._list_stashes(root)
        return find_stashes(root, names, stashes) if stashes else ()

    def _list_stashes(self, root: Path) -> tuple[str, ...]:
        if root not in self._stashes:
            self._stashes[root] = list_stashes(root)
        return self._stashes[root]


def may_be_aside(path: str) -> bool:
    """Tell whether pip or a heal may have moved a file to `path`, so that `Site.restore` may give another."""
    return any(mark in path for mark in _ASIDE)
