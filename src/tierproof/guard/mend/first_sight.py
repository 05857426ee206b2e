"""The state of a site directory when it was first seen: files that already differed then are not a tear.

A hosted image is dirty as shipped, so cleanliness is judged by difference from this.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.errors import OutputError
from tierproof.guard.capture.broken_bounds import find_broken_bounds
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.metadata_stamp import stamp_metadata
from tierproof.guard.capture.record import RecordEntry, find_mismatches, read_own_record
from tierproof.guard.system.process import process_started_at

_FORMAT_VERSION = 1
_MOST_VERSIONS = 20
_METADATA = (".dist-info", ".egg-info", "..")


@dataclass(frozen=True, slots=True)
class FirstSight:
    """What one site directory held when it was first seen, and which native libraries were seen since.

    Attributes:
        root: the site directory.
        seen_at: seconds since the epoch.
        versions: by distribution.
        dirty: files that were not as RECORD says, by distribution (presence and size; nothing was hashed).
        duplicates: versions with metadata of their own, by distribution, where there was more than one.
        libraries: distribution and version of each native library seen on disk, by `device:inode`.
        stamps: when the metadata changed that `libraries` was read from, by distribution.
        tops: the top-level names of each distribution, so that what was removed is still known by its name.
        bounds: declared requirements that did not hold then, in words; None where they were not noted.
        later: versions that were seen since, by distribution, in their order.
    """

    root: str
    seen_at: float
    versions: Mapping[str, str] = field(default_factory=dict)
    dirty: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    duplicates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    libraries: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    stamps: Mapping[str, float] = field(default_factory=dict)
    tops: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bounds: tuple[str, ...] | None = None
    later: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def list_versions(self, name: str) -> tuple[str, ...]:
        """The versions of a distribution that were seen, the first one first."""
        first = self.versions.get(name, "")
        return (*([first] if first else []), *self.later.get(name, ()))

    def find_owner_of_top(self, top: str) -> str:
        """The distribution that had the top-level file or folder `top`, if there was one and no other."""
        found = [name for name, tops in self.tops.items() if top in tops]
        return found[0] if len(found) == 1 else ""

    def find_library(self, device: int, inode: int) -> tuple[str, str] | None:
        """Distribution and version of a library that was on disk once."""
        return self.libraries.get(f"{device}:{inode}")

    def to_json(self) -> str:
        """The text that `parse_first_sight` reads."""
        document = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return json.dumps({"format_version": _FORMAT_VERSION, **document}, separators=(",", ":"))


def parse_first_sight(text: str) -> FirstSight | None:
    """Read what `FirstSight.to_json` wrote; None for anything else, which is then seen anew."""
    try:
        document = json.loads(text)
        if document.pop("format_version") != _FORMAT_VERSION:
            return None
        tuples = ("dirty", "duplicates", "libraries", "tops", "later")
        for name in ("tops", "later"):
            document.setdefault(name, {})
        for name in tuples:
            document[name] = {key: tuple(map(str, value)) for key, value in document[name].items()}
        for name in ("versions", "stamps"):
            document[name] = dict(document[name])
        bounds = document.get("bounds")
        document["bounds"] = None if bounds is None else tuple(map(str, bounds))
        if any(len(value) != 2 for value in document["libraries"].values()):
            return None
        return FirstSight(**document)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def first_sight_path(root: Path) -> Path:
    """Where the first sight of the site directory `root` is kept, in the user's data folder."""
    home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    key = hashlib.sha256(str(root).encode(errors="surrogateescape")).hexdigest()[:16]
    return Path(home) / "tierproof" / "baselines" / f"{key}.json"


def load_first_sight(root: Path) -> FirstSight | None:
    """Read the first sight of `root`; None when it was never seen, or its file cannot be read."""
    try:
        found = parse_first_sight(first_sight_path(root).read_text(encoding="utf-8"))
    except OSError:
        return None
    return found if found is not None and found.root == str(root) else None


def save_first_sight(first_sight: FirstSight) -> bool:
    """Write the first sight whole or not at all; False if the user's data folder cannot be written."""
    path = first_sight_path(Path(first_sight.root))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text_atomically(path, first_sight.to_json())
    except (OSError, OutputError):
        return False
    return True


Read = Callable[[InstalledDistribution], tuple[RecordEntry, ...]]
TellChange = Callable[[InstalledDistribution], float]


def metadata_changed_at(distribution: InstalledDistribution) -> float:
    """When the distribution was put there: the newest inode change of its metadata, in seconds; 0 if gone."""
    return stamp_metadata(distribution.metadata_path).changed_at


def sight(
    root: Path,
    distributions: Iterable[InstalledDistribution],
    read: Read = read_own_record,
    tell_change: TellChange = metadata_changed_at,
) -> tuple[FirstSight, bool]:
    """Return the first sight of `root`, made and stored now if there was none, and whether this is the first sight.

    Args:
        root: a site directory.
        distributions: every one found in it, also those that hide each other.
        read: gives a distribution's RECORD.
        tell_change: tells when it was put there.
    """
    distributions = tuple(distributions)
    own = [each for each in distributions if each.root == root]
    known = load_first_sight(root)
    first_sight = known if known is not None else _look(root, own, read)
    if first_sight.bounds is None:
        first_sight = replace(first_sight, bounds=_note_bounds(distributions, root, tell_change))
    seen = observe_libraries(first_sight, own, read, tell_change)
    if seen != known:
        save_first_sight(seen)
    return seen, known is None


def observe_libraries(
    first_sight: FirstSight,
    distributions: Iterable[InstalledDistribution],
    read: Read = read_own_record,
    tell_change: TellChange = metadata_changed_at,
) -> FirstSight:
    """Note the native libraries of every distribution whose metadata is new since they were last noted."""
    libraries, stamps, later = dict(first_sight.libraries), dict(first_sight.stamps), dict(first_sight.later)
    for distribution in distributions:
        stamp = tell_change(distribution)
        if stamps.get(distribution.name) == stamp:
            continue
        stamps[distribution.name] = stamp
        seen = (first_sight.versions.get(distribution.name, ""), *later.get(distribution.name, ()))
        if seen[-1] != distribution.version:
            later[distribution.name] = (*seen[1:], distribution.version)[-_MOST_VERSIONS:]
        for entry in read(distribution):
            if ".so" not in entry.path and not entry.path.endswith(".pyd"):
                continue
            try:
                status = os.stat(f"{distribution.root}/{entry.path}")  # noqa: PTH116
            except OSError:
                continue
            libraries[f"{status.st_dev}:{status.st_ino}"] = (distribution.name, distribution.version)
    return replace(first_sight, libraries=libraries, stamps=stamps, later=later)


def find_duplicates(distributions: Iterable[InstalledDistribution]) -> dict[str, tuple[str, ...]]:
    """Versions of each distribution that has more than one metadata folder in the same site directory."""
    distributions = tuple(distributions)
    times = Counter(each.name for each in distributions)
    found: dict[tuple[Path, str], dict[Path, str]] = {}
    for each in distributions:
        if times[each.name] > 1:
            found.setdefault((each.root, each.name), {})[each.metadata_path] = each.version
    return {name: tuple(sorted(at.values())) for (_, name), at in found.items() if len(at) > 1}


def _look(root: Path, distributions: list[InstalledDistribution], read: Read) -> FirstSight:
    seen_at = time.time()
    dirty = {}
    for each in distributions:
        wrong = find_mismatches(root, read(each), hash_changed_since=float("inf"))
        if wrong:
            dirty[each.name] = wrong
    versions: dict[str, str] = {}
    tops: dict[str, tuple[str, ...]] = {}
    for each in distributions:
        versions.setdefault(each.name, each.version)
        names = {entry.path.partition("/")[0] for entry in read(each)}
        tops.setdefault(each.name, tuple(sorted(name for name in names if not name.endswith(_METADATA))))
    return FirstSight(str(root), seen_at, versions, dirty, find_duplicates(distributions), tops=tops)


def _note_bounds(
    distributions: Sequence[InstalledDistribution], root: Path, tell_change: TellChange
) -> tuple[str, ...]:
    """Describe the requirements of what lies in `root` that do not hold, less what this process saw break."""
    first: dict[str, InstalledDistribution] = {}
    for each in distributions:
        first.setdefault(each.name, each)
    started = process_started_at(os.getpid()) or time.time()
    return tuple(
        bound.describe()
        for bound in find_broken_bounds(distributions)
        if first[bound.owner].root == root
        and max(tell_change(first[bound.owner]), tell_change(first[bound.name])) < started
    )
