"""The lock that `save` writes: a PEP 751 `pylock.toml` that other tools read too, with a table of our own."""

from __future__ import annotations

import hashlib
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from tierproof.core.read_bounded import read_bounded
from tierproof.guard.generations.generation import Generation, PastRequest
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.resolve.pylock import format_pylock, format_value


@dataclass(frozen=True, slots=True)
class SavedLock:
    """A generation as a lock file describes it.

    Attributes:
        entries: the package tables, by normalised name.
        requests: what was asked for.
        shadows: names of the base packages that it overrode.
        waived: names of base packages on which bounds were waived.
        generation: its id; empty where another tool wrote the lock.
        archive_sha256: digest of the archive beside it; empty without an archive.
        python: cache tag and platform of the interpreter it was made for.
        digest: SHA-256 of the file that it was read from.
    """

    entries: Mapping[str, Mapping[str, Any]]
    requests: tuple[PastRequest, ...] = ()
    shadows: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()
    generation: str = ""
    archive_sha256: str = ""
    python: str = ""
    digest: str = ""


def name_python() -> str:
    """Name the kind of interpreter that an archive is made for."""
    return f"{sys.implementation.cache_tag or sys.implementation.name} {sysconfig.get_platform()}"


def format_saved_lock(generation: Generation, archive_sha256: str) -> str:
    """Return the text of the lock."""
    own = {
        "generation": generation.id,
        "archive-sha256": archive_sha256,
        "python": name_python(),
        "requests": [
            {"text": each.text, "name": each.name, "specifier": each.specifier}
            for each in generation.requests
        ],
        "shadows": list(generation.shadows),
        "waived": list(generation.waived),
    }
    names = sorted(generation.entries)
    text = format_pylock(_complete(name, generation) for name in names)
    return (
        text
        + "\n[tool.tierproof]\n"
        + "".join(f"{key} = {format_value(value)}\n" for key, value in own.items())
    )


def read_saved_lock(path: Path) -> SavedLock:
    """Read a `pylock.toml`, of `save` or of another tool.

    Raises:
        InstallError: the file cannot be read, or is not a lock.
    """
    try:
        content = read_bounded(path)
        document = tomllib.loads(content.decode("utf-8-sig"))
        document["lock-version"]  # KeyError: some other TOML
        own = document.get("tool", {}).get("tierproof", {})
        return SavedLock(
            {canonicalize_name(entry["name"]): entry for entry in document.get("packages", [])},
            tuple(
                PastRequest(str(each["text"]), str(each["name"]), str(each.get("specifier", "")))
                for each in own.get("requests", [])
            ),
            tuple(map(str, own.get("shadows", []))),
            tuple(map(str, own.get("waived", []))),
            str(own.get("generation", "")),
            str(own.get("archive-sha256", "")),
            str(own.get("python", "")),
            hashlib.sha256(content).hexdigest(),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise InstallError(
            f"cannot read the lock file {path}: {getattr(error, 'strerror', None) or reason}",
            hint="Pass a pylock.toml as `tierproof save` writes it.",
        ) from error


def _complete(name: str, generation: Generation) -> dict[str, Any]:
    """Name the version also where uv left it out, as for a wheel from a URL."""
    entry = dict(generation.entries[name])
    entry.setdefault("name", name)
    if "version" not in entry and "directory" not in entry and "vcs" not in entry:
        entry["version"] = generation.versions[name]
    return entry
