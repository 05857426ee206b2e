"""A hosted image as the base of a plan: its packages with what they really declare, on its own Python."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tierproof.errors import UsageError
from tierproof.guard.capture.base import Base
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.loaded_distributions import Loaded
from tierproof.guard.resolve.index_settings import read_index_settings
from tierproof.guard.resolve.wheel_tags import describe_machine
from tierproof.images.base.declared_requires import Target, find_requires
from tierproof.images.base.loaded_set import PINNED_BY_COLAB, list_loaded
from tierproof.images.base.requires_cache import RequiresCache
from tierproof.images.lists.freeze_file import FreezeFile, FrozenPackage, find_python
from tierproof.images.lists.image_contents import read_contents
from tierproof.images.lists.image_index import Image

# The version of a package whose line tells none (a repository, a project folder): it satisfies a requirement
# without a bound and nothing else, so that no plan builds on a guess.
UNKNOWN_VERSION = "0+unknown"


@dataclass(frozen=True, slots=True)
class ImageBase:
    """An image as a base, and its unknown facts.

    Attributes:
        base: for a plan.
        undeclared: names of packages whose requirements are unknown; they count as having none.
        unversioned: names of packages whose version the list does not give.
        stood_in: `name version`, where the index has that version without its local part alone.
        skipped: lines of the list that name no package, with the reason.
        unread: names of those among `undeclared` that the index has and that could not be read this time.
    """

    base: Base
    undeclared: tuple[str, ...] = ()
    unversioned: tuple[str, ...] = ()
    stood_in: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def make_image_base(
    image: Image,
    *,
    loaded: Collection[str] | None = None,
    environment: Mapping[str, str] | None = None,
    cache: RequiresCache | None = None,
    executable: str = sys.executable,
    on_step: Callable[[str], None] = lambda _: None,
) -> ImageBase:
    """Make the base of an image.

    Args:
        image: whose list lies in a file.
        loaded: normalised names that count as loaded; by default numpy, pandas, matplotlib, torch, what they
            load, and what the kernel itself holds.
        environment: where index settings are read; this process's by default.
        cache: of what releases declare; in the user's cache folder by default.
        executable: a Python that uv may use; nothing of it shows in the base.
        on_step: called with the progress of reading the index, which an image needs once.

    Raises:
        UsageError: the list cannot be read or names no package, or its Python is unknown.
        PlanError: the index cannot be asked what the packages declare.
    """
    file = _read_list(image)
    python = image.python or find_python(file)
    if not python:
        raise UsageError(
            f"cannot tell which Python version {image.label} uses",
            hint="Pass its Python version, as in `--python 3.12`.",
        )
    target = Target(python, image.platform, executable)
    declared = find_requires(
        [(item.name, Version(item.version).public) for item in file.packages if _is_on_index(item)],
        target,
        read_index_settings(environment),
        RequiresCache() if cache is None else cache,
        on_step,
    )
    requires = declared.by_release
    return ImageBase(
        _make_base(image, python, file, requires, loaded, executable),
        undeclared=tuple(sorted(item.name for item in file.packages if _find(item, requires) is None)),
        unversioned=tuple(sorted(item.name for item in file.packages if not item.version)),
        stood_in=tuple(
            f"{item.name} {item.version}"
            for item in file.packages
            if item.version and Version(item.version).local and _find(item, requires) is not None
        ),
        skipped=tuple(f"line {each.line}: {each.reason}: {each.text}" for each in file.skipped),
        unread=tuple(sorted(name for name, _ in declared.unread)),
    )


def _make_base(
    image: Image,
    python: str,
    file: FreezeFile,
    requires: Mapping[tuple[str, str], tuple[str, ...]],
    loaded: Collection[str] | None,
    executable: str,
) -> Base:
    """Make the base of an image once it is known what its packages require."""
    versions = {item.name: item.version or UNKNOWN_VERSION for item in file.packages}
    markers = describe_markers(python, image.platform)
    installed = tuple(_make_distribution(item, requires, versions, markers) for item in file.packages)
    names = list_loaded() if loaded is None else frozenset(loaded)
    return Base(
        name=image.label,
        executable=executable,
        python=python,
        markers=markers,
        paths=(),
        installed=installed,
        loaded=Loaded(
            names & {item.name for item in installed},
            f"On {image.label}, a package counts as loaded if the kernel or a usual import (such as torch) loads it.",
        ),
        platform=image.platform,
        # Colab's kernel runs as root outside any virtual environment: the user's site is enabled, and its
        # path files come before dist-packages.
        user_site=True,
    )


def describe_markers(python: str, platform: str) -> dict[str, str]:
    """Give the environment markers of a CPython on Linux, such as an image has."""
    return {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": describe_machine(platform),
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": "linux",
    }


def _read_list(image: Image) -> FreezeFile:
    return read_contents(image).file


def _is_on_index(item: FrozenPackage) -> bool:
    """Tell whether the index may know a package: one from a local file or a working copy was made elsewhere."""
    return bool(item.version) and not item.editable and not item.url.startswith("file:")


def _find(item: FrozenPackage, requires: Mapping[tuple[str, str], tuple[str, ...]]) -> tuple[str, ...] | None:
    return requires.get((item.name, Version(item.version).public)) if _is_on_index(item) else None


def _make_distribution(
    item: FrozenPackage,
    requires: Mapping[tuple[str, str], tuple[str, ...]],
    versions: Mapping[str, str],
    markers: Mapping[str, str],
) -> InstalledDistribution:
    lines = _find(item, requires) or ()
    if item.name == "google-colab":
        lines = tuple(f"{name}=={versions[name]}" for name in PINNED_BY_COLAB if versions.get(name))
    elif item.version and Version(item.version).local:
        # The index tells what its own build needs (CUDA's libraries, say); this one may need less.
        lines = tuple(line for line in lines if _is_met(line, versions, markers))
    nowhere = Path("/")
    return InstalledDistribution(item.name, item.version or UNKNOWN_VERSION, nowhere, nowhere, lines)


def _is_met(line: str, versions: Mapping[str, str], markers: Mapping[str, str]) -> bool:
    requirement = Requirement(line)
    if requirement.marker is not None and not requirement.marker.evaluate({**markers, "extra": ""}):
        return True
    version = versions.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)
