"""A snapshot of loaded distributions: their files by hard link, so that a heal is offline and exact.

An installer that replaces a file makes a new one, and the link keeps the old. One that writes in place would
change both; so each file is verified before it is used.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.hash_file import hash_for_record
from tierproof.core.json_value import JsonValue
from tierproof.core.plain_html import escape_html
from tierproof.core.plain_text import clean_text
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.record import read_record
from tierproof.guard.mend.heal_journal import is_alive, read_start_ticks
from tierproof.guard.mend.keep_file import Kept, keep_file
from tierproof.guard.mend.snapshot_entry import (
    MANIFEST,
    SnapshotEntry,
    iterate_entries,
    name_entry,
    read_entry,
)
from tierproof.guard.system.environment_folder import find_folder_of_site
from tierproof.guard.system.environment_lock import lock_environment

FORMAT_VERSION = 1
MOST_BYTES = 2 << 30
MOST_COPIED_BYTES = 512 << 20
_LOCK_LIMIT_S = 30.0
_STAGING = ".new-"
_EXCLUDED = ("torch", "nvidia-")


@dataclass(frozen=True, slots=True)
class SnapshotPackage:
    """One distribution that is kept: its version, how many files, their size, and how (`link`, `clone`, `copy`)."""

    package: str
    version: str
    files: int
    size_bytes: int
    how: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The contents of a snapshot.

    Attributes:
        folder: its path; empty if there was nothing to keep.
        kept: one entry for each distribution, also for those kept earlier.
        skipped: the reason for each distribution that was not kept, by name.
        duration_s: wall time in seconds.
    """

    folder: str
    kept: tuple[SnapshotPackage, ...]
    skipped: Mapping[str, str]
    duration_s: float

    def to_dict(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        kept: list[JsonValue] = [
            {
                "package": each.package,
                "version": each.version,
                "files": each.files,
                "bytes": each.size_bytes,
                "how": each.how,
            }
            for each in self.kept
        ]
        return {
            "format_version": FORMAT_VERSION,
            "folder": self.folder,
            "kept": kept,
            "skipped": dict(self.skipped),
            "duration_s": self.duration_s,
        }

    def to_text(self) -> str:
        """Return it as plain lines."""
        megabytes = sum(each.size_bytes for each in self.kept) / 1e6
        copied = sum(each.size_bytes for each in self.kept if each.how == "copy") / 1e6
        files = sum(each.files for each in self.kept)
        head = (
            f"snapshot: {len(self.kept)} distributions, {files} files, {megabytes:.0f} MB, "
            f"of which {copied:.0f} MB use extra disk space; {self.duration_s:.2f} s"
        )
        lines = [head, *(f"not kept: {name} ({reason})" for name, reason in self.skipped.items())]
        return clean_text("\n".join(lines))

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return "".join(f"<p>{escape_html(line)}</p>" for line in self.to_text().splitlines())


def keep_distributions(
    distributions: Iterable[InstalledDistribution],
    holders: Collection[int],
    *,
    most_bytes: int = MOST_BYTES,
    most_copied_bytes: int = MOST_COPIED_BYTES,
) -> Snapshot:
    """Keep the files of `distributions` for as long as one of the processes `holders` lives.

    torch and nvidia-* are left out, then the largest distributions until the rest fits the limits. One that is
    already kept costs nothing.

    Args:
        distributions: of one environment; loaded, so that they can be torn.
        holders: process ids.
        most_bytes: limit of all kept files, also of links that take no space.
        most_copied_bytes: limit of the files that can be neither linked nor cloned, and so take space.

    Raises:
        OutputError: the user's data folder cannot be written.
        EnvironmentBusyError: another process has been making a snapshot for too long.
    """
    began = time.perf_counter()
    wanted = sorted(((_measure(each), each) for each in distributions), key=lambda pair: pair[0])
    if not wanted:
        return Snapshot("", (), {}, time.perf_counter() - began)
    folder = find_snapshot_folder(wanted[0][1].root)
    folder.mkdir(mode=0o700, exist_ok=True)
    kept, skipped = [], {}
    room, room_to_copy = most_bytes, most_copied_bytes
    with lock_environment(folder, limit_s=_LOCK_LIMIT_S):
        _remove_waste(folder)
        for size, each in wanted:
            reason = _refuse(each) or (
                f"its {size / 1e6:.0f} MB would exceed the limit of {most_bytes / 1e6:.0f} MB"
                if size > room
                else ""
            )
            entry = None if reason else _keep_one(folder, each, room_to_copy)
            if entry is None:
                skipped[each.name] = reason or "it is on another file system and too large to copy"
                continue
            room -= size
            room_to_copy -= size if entry.how == Kept.COPY.value else 0
            _sign(entry, holders)
            kept.append(
                SnapshotPackage(entry.name, entry.version, len(entry.digests), entry.size_bytes, entry.how)
            )
        _prune(folder)
    return Snapshot(str(folder), tuple(kept), skipped, time.perf_counter() - began)


def find_snapshot_folder(root: Path) -> Path:
    """Where the snapshots of the environment lie that the site directory `root` belongs to."""
    return find_folder_of_site(root) / "snapshots"


def _measure(distribution: InstalledDistribution) -> int:
    return sum(entry.size or 0 for entry in read_record(distribution.metadata_path))


def _refuse(distribution: InstalledDistribution) -> str:
    if distribution.name.startswith(_EXCLUDED[1]) or distribution.name == _EXCLUDED[0]:
        return "it is too large to keep"
    if not read_record(distribution.metadata_path):
        return "it has no list of installed files (RECORD)"
    try:
        origin = json.loads((distribution.metadata_path / "direct_url.json").read_text(encoding="utf-8"))
        editable = bool(origin.get("dir_info", {}).get("editable"))
    except (OSError, ValueError, AttributeError):
        editable = False
    return "it is an editable install, and a snapshot never touches your source folder" if editable else ""


def _keep_one(folder: Path, distribution: InstalledDistribution, room_to_copy: int) -> SnapshotEntry | None:
    """Make the entry of a distribution, or find the one that is there; None if it would take too much."""
    target = folder / name_entry(distribution)
    found = read_entry(target)
    if found is not None:
        return found
    staging = Path(tempfile.mkdtemp(prefix=f"{_STAGING}{os.getpid()}-", dir=folder))
    try:
        if not _fill(staging, distribution, room_to_copy):
            return None
        shutil.rmtree(target, ignore_errors=True)  # one that could not be read
        staging.rename(target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return read_entry(target)


def _fill(staging: Path, distribution: InstalledDistribution, room_to_copy: int) -> bool:
    digests, size, copied, ways = {}, 0, 0, set()
    made: set[str] = set()
    for record in read_record(distribution.metadata_path):
        if record.path.startswith(("..", "/")) or record.path.endswith((".pyc", ".pyo")):
            continue
        source, target = distribution.root / record.path, staging / "files" / record.path
        if (parent := os.path.dirname(target)) not in made:  # noqa: PTH120 - seven thousand times
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103
            made.add(parent)
        is_metadata = record.path.startswith(f"{distribution.metadata_path.name}/")
        try:
            # A link would change the time of the metadata, by which installs are noticed.
            way = keep_file(source, target, may_link=not is_metadata, may_copy=copied <= room_to_copy)
        except FileNotFoundError:
            continue
        if way is None:
            return False
        length = target.stat().st_size
        size += length
        copied += length if way is Kept.COPY and not is_metadata else 0
        ways |= set() if is_metadata else {way}
        # What RECORD does not vouch for is vouched for here.
        vouched = record.digest.startswith("sha256=") and record.size == length
        digests[record.path] = record.digest if vouched else f"sha256={hash_for_record(target)}"
    how = max(ways, default=Kept.COPY, key=lambda way: list(Kept).index(way))
    document = {
        "format_version": FORMAT_VERSION,
        "name": distribution.name,
        "version": distribution.version,
        "root": str(distribution.root),
        "how": how.value,
        "bytes": size,
        "digests": digests,
    }
    write_text_atomically(staging / MANIFEST, json.dumps(document, separators=(",", ":")))
    return True


def _sign(entry: SnapshotEntry, holders: Collection[int]) -> None:
    folder = entry.folder / "holders"
    folder.mkdir(exist_ok=True)
    for pid in holders:
        (folder / f"{pid}-{read_start_ticks(pid)}").touch()


def _prune(folder: Path) -> None:
    """Remove the entries of which every holder has ended; where the system does not say, a month counts."""
    for entry in iterate_entries(folder):
        holders = [path for path in (entry.folder / "holders").glob("*-*") if not _is_over(path)]
        if not holders:
            # By rename first: nobody finds half an entry.
            waste = folder / f"{_STAGING}waste-{entry.folder.name}"
            entry.folder.rename(waste)
            shutil.rmtree(waste, ignore_errors=True)


def _is_over(holder: Path) -> bool:
    pid, _, ticks = holder.name.partition("-")
    if ticks == "0":
        return time.time() - holder.stat().st_mtime > 30 * 86400
    return not (pid.isdigit() and ticks.isdigit() and is_alive(int(pid), int(ticks)))


def _remove_waste(folder: Path) -> None:
    for path in folder.glob(f"{_STAGING}*"):  # the lock is held: nobody is at work on one
        shutil.rmtree(path, ignore_errors=True)
