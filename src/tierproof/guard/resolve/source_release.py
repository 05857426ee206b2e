"""A release, repository or folder that has no wheel: what is known of it, and a stub that lets uv plan with it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from tierproof.guard.capture.declared_bounds import parse_requires
from tierproof.guard.resolve.sdist_metadata import DeclaredProject
from tierproof.guard.resolve.wheel_metadata import WheelMetadata

_TAG = "py3-none-any"
_WHEEL = f"Wheel-Version: 1.0\nGenerator: tierproof\nRoot-Is-Purelib: true\nTag: {_TAG}\n"
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


class RequirementsOrigin(StrEnum):
    """What the requirements of a source are taken from."""

    BUILT = "those of its own metadata, which was built"
    STATIC = "those that its pyproject.toml or PKG-INFO declares"
    DECLARED = "those that its source files declare"
    LAST_RELEASE = "those of its latest release on the package index"
    NOTHING = "its requirements are not known"


@dataclass(frozen=True, slots=True)
class SourceRelease:
    """One of them.

    Attributes:
        name: normalised.
        version: as far as it is known without a build; of a repository, the last release's.
        text: as it is called in a message: `wikipedia 1.4.0`, or the address as typed.
        basis: what `known` is taken from.
        known: what it needs, as far as that is known.
        entry: the table of a lock from which it can be installed.
        direct: it comes from an address or a path, not from an index.
        failure: why its metadata could not be built, where that was allowed and tried; else empty.
    """

    name: str
    version: str
    text: str
    basis: RequirementsOrigin
    known: WheelMetadata = field(default_factory=lambda: WheelMetadata(()))
    entry: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    direct: bool = False
    failure: str = ""

    @property
    def stub_version(self) -> str:
        """The version of its stub: that of a source at an address is like no release of an index."""
        version = Version(self.version)
        return f"{version.public}+source" if self.direct else str(version)

    @property
    def is_certain(self) -> bool:
        """Whether no build can tell otherwise."""
        return self.basis in (RequirementsOrigin.BUILT, RequirementsOrigin.STATIC)


def read_declared(project: DeclaredProject) -> WheelMetadata:
    """Make requirements of declared lines; those that cannot be read are left out, as pip leaves them out."""
    return WheelMetadata(tuple(parse_requires(project.requires)), project.requires_python)


def write_source_stub(source: SourceRelease, folder: Path) -> Path:
    """Write a wheel that holds the metadata of a source alone.

    Raises:
        OSError: the folder cannot be written.
    """
    version = source.stub_version
    stem = f"{source.name.replace('-', '_')}-{version}"
    lines = ["Metadata-Version: 2.1", f"Name: {source.name}", f"Version: {version}"]
    extras: set[str] = set()
    for requirement in source.known.requires:
        lines.append(f"Requires-Dist: {requirement}")
        extras |= {canonicalize_name(name) for name in _EXTRA.findall(str(requirement.marker or ""))}
    lines += [f"Provides-Extra: {extra}" for extra in sorted(extras)]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stem}-{_TAG}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (("METADATA", "\n".join(lines) + "\n\n"), ("WHEEL", _WHEEL), ("RECORD", "")):
            archive.writestr(f"{stem}.dist-info/{name}", text)
    return path


def is_version(text: str) -> bool:
    """Tell whether a stub can carry this version."""
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
