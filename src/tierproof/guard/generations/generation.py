"""A generation: an immutable folder of added packages, named by the hash of its lock."""

from __future__ import annotations

import hashlib
import json
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tierproof.core.json_value import JsonValue
from tierproof.guard.capture.inventory import Inventory, PackageFiles

FORMAT_VERSION = 1
_ID_LENGTH = 20


class Position(StrEnum):
    """Where a generation stands on sys.path: additions behind the base, shadows in front of it."""

    BEHIND = "behind"
    FRONT = "front"


@dataclass(frozen=True, slots=True)
class PastRequest:
    """One requirement that led to a generation.

    Attributes:
        text: as typed, credentials left out.
        name: normalised; empty where only a build could tell.
        specifier: the versions allowed; empty for a URL or a path.
    """

    text: str
    name: str
    specifier: str = ""


@dataclass(frozen=True, slots=True)
class Generation:
    """The contents of one generation.

    Attributes:
        id: hash of the lock, the position and the interpreter's tag; the name of its folder.
        position: where it stands on sys.path.
        requests: what was asked for, oldest first.
        shadows: normalised names of the base packages that it overrides.
        waived: normalised names of base packages on which bounds were waived.
        tried: whether its imports were tried in a child process.
        entries: the `pylock.toml` table of each package, by name.
        inventory: every file, by package.
    """

    id: str
    position: Position
    requests: tuple[PastRequest, ...]
    shadows: tuple[str, ...]
    waived: tuple[str, ...]
    entries: Mapping[str, Mapping[str, Any]]
    inventory: Inventory
    tried: bool = True

    @property
    def versions(self) -> dict[str, str]:
        """Version by normalised name."""
        return {name: files.version for name, files in self.inventory.packages.items()}

    def to_json(self) -> str:
        """The text of `generation.json`, without what lies in files beside it."""
        document: dict[str, JsonValue] = {
            "format_version": FORMAT_VERSION,
            "id": self.id,
            "position": self.position.value,
            "requests": [
                {"text": each.text, "name": each.name, "specifier": each.specifier} for each in self.requests
            ],
            "shadows": list(self.shadows),
            "waived": list(self.waived),
            "tried": self.tried,
            "packages": [
                {"name": name, "version": version} for name, version in sorted(self.versions.items())
            ],
        }
        return json.dumps(document, indent=1)


def name_generation(locked: Mapping[str, tuple[str, Iterable[str]]], position: Position) -> str:
    """Return the id: the same lock on the same kind of interpreter always gives the same id.

    Args:
        locked: version and file digests of each package, by normalised name.
        position: of the generation.
    """
    parts = [
        position.value,
        sys.implementation.cache_tag or sys.implementation.name,
        sysconfig.get_platform(),
    ]
    for name, (version, digests) in sorted(locked.items()):
        parts += [f"{name}=={version}", *sorted(digests)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_ID_LENGTH]


def compute_id(
    entries: Mapping[str, Mapping[str, Any]], packages: Mapping[str, PackageFiles], position: Position
) -> str:
    """Return the id of a generation that is there: by its lock's hashes, or where an index gave none by its files."""
    locked = {
        name: (files.version, find_digests(entries.get(name, {})) or frozenset({files.digest()}))
        for name, files in packages.items()
    }
    return name_generation(locked, position)


def find_digests(entry: Mapping[str, Any]) -> frozenset[str]:
    """The `algorithm:hex` digests of every file that a package table names."""
    sources = [*entry.get("wheels", ()), entry.get("archive", {}), entry.get("sdist", {})]
    return frozenset(
        f"{algorithm}:{digest}"
        for source in sources
        for algorithm, digest in source.get("hashes", {}).items()
    )
