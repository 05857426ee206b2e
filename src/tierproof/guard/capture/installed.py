"""Installed distributions: everything that importlib finds on an interpreter's path."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import Distribution as Metadata
from importlib.metadata import DistributionFinder, MetadataPathFinder, PathDistribution
from pathlib import Path
from typing import Protocol

from packaging.utils import canonicalize_name

from tierproof.guard.capture.vendored_entry import drop_vendored
from tierproof.guard.system.search_path import read_search_path

_METADATA_SUFFIXES = ("dist-info", "egg-info")
_LINE_END = re.compile(r"\r\n|\r|\n")
_PUNCTUATION = re.compile(r"[-_.]+")


@dataclass(frozen=True, slots=True)
class InstalledDistribution:
    """One installed distribution.

    Attributes:
        name: normalised (PEP 503).
        version: as its metadata says; may carry a local part (`2.11.0+cu128`).
        metadata_path: its `.dist-info` or `.egg-info`.
        root: the path entry it was found on.
        requires: Requires-Dist lines as they stand.
        installer: contents of INSTALLER (`pip`, `uv`, `tierproof`), empty where absent.
    """

    name: str
    version: str
    metadata_path: Path
    root: Path
    requires: tuple[str, ...] = ()
    installer: str = ""


class Memory(Protocol):
    """Remembers what was read of a distribution."""

    def read(
        self, metadata_path: Path, root: Path, read: Callable[[], InstalledDistribution | None]
    ) -> InstalledDistribution | None:
        """Return what is remembered, else what `read` gives."""
        ...


def capture_installed(paths: Sequence[str] | None = None) -> tuple[InstalledDistribution, ...]:
    """List the distributions on `paths` (`sys.path` by default); of several with one name, only the first."""
    found: dict[str, InstalledDistribution] = {}
    for distribution in iterate_installed(paths):
        found.setdefault(distribution.name, distribution)
    return tuple(found.values())


def iterate_installed(
    paths: Sequence[str] | None = None, memory: Memory | None = None
) -> Iterator[InstalledDistribution]:
    """Yield every distribution, also those that another of the same name hides, in the order of the path.

    What a package carries along in its own folder is none, even where that folder is on the path.

    Args:
        paths: entries of a path; sys.path by default.
        memory: of what was read before.
    """
    for entry in drop_vendored(read_search_path(paths)):
        root = Path(entry or ".")
        for metadata in _find_metadata(entry, root):
            if not isinstance(metadata, Path):
                distribution = _read(metadata, root)
            elif memory is None:
                distribution = _read_at(metadata, root)
            else:
                distribution = memory.read(metadata, root, partial(_read_at, metadata, root))
            if distribution is not None:
                yield distribution


def _find_metadata(entry: str, root: Path) -> Iterable[Path | Metadata]:
    """Return what importlib finds on a path entry, in its order; a folder is listed here, five times as fast."""
    if not entry.lower().endswith(".egg"):
        with contextlib.suppress(OSError):  # no folder: a zip file, or nothing
            return _order_as_importlib(root, os.listdir(root))  # noqa: PTH208 - names alone
    return MetadataPathFinder.find_distributions(DistributionFinder.Context(path=[entry]))


def _order_as_importlib(root: Path, names: Iterable[str]) -> list[Path]:
    """The metadata among `names`: as they are listed, but those of one project together."""
    found: dict[str, list[Path]] = {}
    for name in names:
        stem, _, suffix = name.lower().rpartition(".")
        if suffix in _METADATA_SUFFIXES:
            project = _PUNCTUATION.sub("_", stem.partition("-")[0])
            found.setdefault(project, []).append(root / name)
    return [path for paths in found.values() for path in paths]


def _read_at(path: Path, root: Path) -> InstalledDistribution | None:
    if path.name.lower().endswith(".dist-info"):
        with contextlib.suppress(OSError):
            return _read_dist_info(
                path, root, _identify(path / "METADATA"), _identify_if_any(path / "INSTALLER")
            )
    return _read(PathDistribution(path), root)


def _identify(file: Path) -> tuple[int, ...]:
    status = file.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size, status.st_ctime_ns


def _identify_if_any(file: Path) -> tuple[int, ...]:
    try:
        return _identify(file)
    except OSError:
        return ()


@lru_cache(maxsize=4096)
def _read_dist_info(path: Path, root: Path, *_identities: tuple[int, ...]) -> InstalledDistribution | None:
    """Read what importlib reads, in a tenth of its time; once for files that stay, as a kernel plans often."""
    fields = read_headers((path / "METADATA").read_text(encoding="utf-8", errors="replace"))
    name, version = (fields.get(key, [""])[0] for key in ("name", "version"))
    if not name or not version:
        return None
    try:
        installer = (path / "INSTALLER").read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
        installer = ""
    requires = tuple(fields.get("requires-dist", ()))
    return InstalledDistribution(canonicalize_name(name), version, path, root, requires, installer)


def read_headers(text: str) -> dict[str, list[str]]:
    """Read the fields of a METADATA file by their names in lower case; its description is left out."""
    fields: dict[str, list[str]] = {}
    values: list[str] = []
    for line in _LINE_END.split(text):
        if line[:1] in (" ", "\t") and values:  # also one of blanks alone, as inside the text of a licence
            values[-1] = f"{values[-1]} {line.strip()}".strip()
            continue
        key, colon, value = line.partition(":")
        if not colon or not key or key != key.strip():
            break
        values = fields.setdefault(key.lower(), [])
        values.append(value.strip())
    return fields


def _read(metadata: Metadata, root: Path) -> InstalledDistribution | None:
    parsed = metadata.metadata  # each access reads and parses the file anew
    name, version = parsed["Name"], parsed["Version"]
    if not name or not version:
        return None
    path = getattr(metadata, "_path", root)
    installer = (metadata.read_text("INSTALLER") or "").strip()
    # An egg-info keeps its requirements in a file of their own, which only `requires` reads.
    requires = metadata.requires if str(path).endswith(".egg-info") else parsed.get_all("Requires-Dist")
    return InstalledDistribution(
        canonicalize_name(name), version, Path(str(path)), root, tuple(requires or ()), installer
    )
