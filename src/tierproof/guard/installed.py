"""What is installed: every distribution that an interpreter's path leads to, as importlib sees it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import Distribution as Metadata
from importlib.metadata import DistributionFinder, MetadataPathFinder, PathDistribution
from pathlib import Path
from typing import Protocol

from packaging.utils import canonicalize_name

_METADATA_SUFFIXES = ("dist-info", "egg-info")
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
        """Give what is remembered, else what `read` gives."""
        ...


def capture_installed(paths: Sequence[str] | None = None) -> tuple[InstalledDistribution, ...]:
    """List the distributions on `paths` (sys.path by default), the first of a name first and alone."""
    found: dict[str, InstalledDistribution] = {}
    for distribution in iterate_installed(paths):
        found.setdefault(distribution.name, distribution)
    return tuple(found.values())


def iterate_installed(
    paths: Sequence[str] | None = None, memory: Memory | None = None
) -> Iterator[InstalledDistribution]:
    """Yield every distribution, also those that another of the same name hides, in the order of the path.

    Args:
        paths: entries of a path; sys.path by default.
        memory: of what was read before.
    """
    for entry in paths if paths is not None else sys.path:
        root = Path(entry or ".")
        for metadata, path in _find_metadata(entry, root):
            if memory is not None and path is not None:
                distribution = memory.read(path, root, partial(_read, metadata, root))
            else:
                distribution = _read(metadata, root)
            if distribution is not None:
                yield distribution


def _find_metadata(entry: str, root: Path) -> Iterator[tuple[Metadata, Path | None]]:
    """Yield what importlib finds on a path entry, in its order; a folder is listed here, ten times as fast."""
    if not entry.lower().endswith(".egg"):
        try:
            names = os.listdir(root)  # noqa: PTH208 - Path objects of everything would cost more than the rest
        except OSError:  # no folder: a zip file, or nothing
            pass
        else:
            for path in _order_as_importlib(root, names):
                yield PathDistribution(path), path
            return
    for metadata in MetadataPathFinder.find_distributions(DistributionFinder.Context(path=[entry])):
        place: object = getattr(metadata, "_path", None)
        yield metadata, place if isinstance(place, Path) else None


def _order_as_importlib(root: Path, names: Iterable[str]) -> list[Path]:
    """The metadata among `names`: as they are listed, but those of one project together."""
    found: dict[str, list[Path]] = {}
    for name in names:
        stem, _, suffix = name.lower().rpartition(".")
        if suffix in _METADATA_SUFFIXES:
            project = _PUNCTUATION.sub("_", stem.partition("-")[0])
            found.setdefault(project, []).append(Path(root, name))
    return [path for paths in found.values() for path in paths]


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
