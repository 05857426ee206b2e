"""One distribution in a snapshot: found again, verified, and laid out for a heal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.utils import canonicalize_name

from tierproof.guard.capture.installed import InstalledDistribution, iterate_installed
from tierproof.guard.capture.record import has_digest
from tierproof.guard.mend.heal_error import HealError
from tierproof.guard.mend.keep_file import keep_file

_RESTART = "The package was left as it was. Restart the kernel: it then loads the version on disk."

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class SnapshotEntry:
    """One distribution that is kept.

    Attributes:
        folder: its own; the files lie in `files`.
        name: normalised.
        version: as its metadata says.
        root: the site directory that it was in.
        how: `link`, `clone` or `copy`; the dearest that a file of it took.
        size_bytes: of all files.
        digests: by relative path.
    """

    folder: Path
    name: str
    version: str
    root: str
    how: str
    size_bytes: int
    digests: Mapping[str, str]


def name_entry(distribution: InstalledDistribution) -> str:
    """Return the folder name of a distribution's entry: another build or another place has another one."""
    try:
        record = (distribution.metadata_path / "RECORD").read_bytes()
    except OSError:
        record = b""
    key = hashlib.sha256(str(distribution.root).encode(errors="surrogateescape") + b"\0" + record)
    version = "".join(each if each.isalnum() or each in ".-_+" else "_" for each in distribution.version)
    return f"{distribution.name}-{version}-{key.hexdigest()[:12]}"


def read_entry(folder: Path) -> SnapshotEntry | None:
    """Read an entry; None if it is missing or incomplete."""
    try:
        document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return SnapshotEntry(
            folder,
            str(document["name"]),
            str(document["version"]),
            str(document["root"]),
            str(document["how"]),
            int(document["bytes"]),
            {str(path): str(digest) for path, digest in document["digests"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def iterate_entries(folder: Path) -> Iterator[SnapshotEntry]:
    """Yield every whole entry of the snapshots in `folder`."""
    for path in sorted(folder.glob("[!.]*")) if folder.is_dir() else ():
        entry = read_entry(path)
        if entry is not None:
            yield entry


def find_entries(folder: Path, name: str, version: str) -> tuple[SnapshotEntry, ...]:
    """The entries of `name` `version` in the snapshots in `folder`; several where it was built several times."""
    return tuple(
        entry
        for entry in iterate_entries(folder)
        if entry.name == canonicalize_name(name) and entry.version == version
    )


def lay_out(entry: SnapshotEntry, stage: Path) -> InstalledDistribution:
    """Lay the files of `entry` into the empty folder `stage`, each verified: links where that is possible.

    Raises:
        HealError: a file is absent or was changed, as by an installer that writes in place.
    """
    for path, digest in entry.digests.items():
        source, target = entry.folder / "files" / path, stage / path
        if ".." in PurePosixPath(path).parts or PurePosixPath(path).is_absolute():
            raise HealError(
                f"the stored copy (snapshot) of {entry.name} {entry.version} lists {path}, which is outside its folder",
                hint=_RESTART,
            )
        if not has_digest(source, digest):
            raise HealError(
                f"the stored copy (snapshot) of {entry.name} {entry.version} is damaged: {path} has changed",
                hint=_RESTART,
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            keep_file(source, target, may_link=".dist-info" not in PurePosixPath(path).parts[0])
        except OSError as error:
            raise HealError(
                f"cannot put back {entry.name} {entry.version} from its stored copy (snapshot): {error}",
                hint=_RESTART,
            ) from error
    found = list(iterate_installed([str(stage)]))
    if [(each.name, each.version) for each in found] != [(entry.name, entry.version)]:
        raise HealError(
            f"the stored copy (snapshot) of {entry.name} {entry.version} is incomplete", hint=_RESTART
        )
    return found[0]
