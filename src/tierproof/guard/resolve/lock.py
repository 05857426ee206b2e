"""What uv resolved, read from its `pylock.toml` (PEP 751)."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from tierproof.guard.resolve.wheel_metadata import WheelMetadata
from tierproof.guard.resolve.wheel_tags import rank_tags


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One package of a resolution.

    Attributes:
        name: normalised.
        version: empty for a project folder whose version only a build tells.
        url: of the file that would be installed; empty for a folder or a repository.
        bytes: of that file; 0 if the index does not tell.
        uploaded: when the index received it, or None.
        direct: it comes from a URL, a path or a repository rather than from an index.
        built: it would have to be built from source.
        digest: sha256 of that file in hexadecimal; empty if the lock tells none.
        known: what is known of it without its wheel, of one that would be built.
        entry: its whole table in the lock, from which it can be installed.
    """

    name: str
    version: str
    url: str = ""
    bytes: int = 0
    uploaded: datetime | None = None
    direct: bool = False
    built: bool = False
    digest: str = ""
    known: WheelMetadata | None = field(default=None, compare=False, repr=False)
    entry: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Lock:
    """The packages that uv chose, by name."""

    packages: tuple[LockedPackage, ...]

    def get(self, name: str) -> LockedPackage | None:
        """The package called `name` (normalised), or None."""
        return next((item for item in self.packages if item.name == name), None)


def read_lock(text: str, folder: Path | None = None, tags: Mapping[Tag, int] | None = None) -> Lock:
    """Read a `pylock.toml`.

    Args:
        text: of the file.
        folder: where it lies, which its relative paths start from; the current folder by default.
        tags: those of the interpreter that it is for, ranked; the running one's by default.

    Raises:
        ValueError: the text is not a pylock.toml.
    """
    document = tomllib.loads(text)
    if "lock-version" not in document:
        raise ValueError("no lock-version: this is not a pylock.toml")
    entries = [_resolve_paths(entry, folder or Path.cwd()) for entry in document.get("packages", [])]
    ranks = rank_tags() if tags is None else tags
    return Lock(tuple(_read_package(entry, ranks) for entry in entries))


def _resolve_paths(entry: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Make the paths in a package's table absolute, so that it means the same anywhere."""

    def resolve(source: Mapping[str, Any]) -> dict[str, Any]:
        path = source.get("path")
        return {**source, "path": os.path.normpath(folder / path)} if path else dict(source)

    resolved = {key: resolve(value) if isinstance(value, dict) else value for key, value in entry.items()}
    if "wheels" in entry:
        resolved["wheels"] = [resolve(wheel) for wheel in entry["wheels"]]
    return resolved


def _read_package(entry: Mapping[str, Any], tags: Mapping[Tag, int]) -> LockedPackage:
    direct = any(key in entry for key in ("archive", "directory", "vcs"))
    archive = entry.get("archive", {})
    wheel = choose_wheel(entry.get("wheels", ()), tags)
    chosen = wheel or archive or entry.get("sdist") or {}
    url = find_url(chosen)
    is_wheel = urlsplit(url).path.endswith(".whl")
    version = str(entry.get("version", ""))
    if not version and is_wheel:
        version = str(parse_wheel_filename(_file_name(url))[1])
    uploaded = chosen.get("upload-time")
    return LockedPackage(
        canonicalize_name(entry["name"]),
        str(Version(version)) if version else "",
        url,
        int(chosen.get("size") or _measure(url)),
        uploaded if isinstance(uploaded, datetime) else None,
        direct,
        not is_wheel,
        str(chosen.get("hashes", {}).get("sha256", "")),
        entry=entry,
    )


def choose_wheel(wheels: Sequence[Mapping[str, Any]], ranks: Mapping[Tag, int]) -> Mapping[str, Any] | None:
    """Return the wheel that an interpreter with these ranked tags would install: the best tag's."""
    ranked: list[tuple[int, int, Mapping[str, Any]]] = []
    for wheel in wheels:
        try:
            tags = parse_wheel_filename(_file_name(find_url(wheel)))[3]
        except InvalidWheelFilename:
            continue
        ranked.append((min((ranks.get(tag, 1 << 30) for tag in tags), default=1 << 30), len(ranked), wheel))
    return min(ranked)[2] if ranked else None


def has_native_wheel(item: LockedPackage) -> bool:
    """Tell whether the wheel that `item` would install is for one platform alone."""
    try:
        return any(tag.platform != "any" for tag in parse_wheel_filename(_file_name(item.url))[3])
    except InvalidWheelFilename:
        return False


def find_url(source: Mapping[str, Any]) -> str:
    """Return the URL of a file that a lock names by URL or path; empty if it names neither."""
    if url := source.get("url"):
        return str(url)
    path = source.get("path")
    return Path(path).absolute().as_uri() if path else ""


def _file_name(url: str) -> str:
    return unquote(urlsplit(url).path).rpartition("/")[2]


def _measure(url: str) -> int:
    parts = urlsplit(url)
    if parts.scheme != "file":
        return 0
    path = Path(url2pathname(parts.path))
    return path.stat().st_size if path.is_file() else 0
