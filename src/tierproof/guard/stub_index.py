"""The base as a package index: for each installed distribution a wheel that holds its metadata alone.

uv asks this index first and so sees, of a frozen package, exactly the version that is installed: also one
with a local version, one from a URL, or an editable one, and with the dependencies that it really declares.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from tierproof.guard.base import Base
from tierproof.guard.installed import InstalledDistribution

_WHEEL = "Wheel-Version: 1.0\nGenerator: tierproof\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


class StubIndex:
    """The stub wheels of one base in a folder of its own.

    Args:
        base: what is installed.
        folder: an empty folder, which the caller removes.
    """

    def __init__(self, base: Base, folder: Path) -> None:
        self._base = base
        self._all = folder / "all"
        self._folder = folder
        self._views = 0
        self._written: set[str] = set()

    def freeze(self, names: Collection[str]) -> Path:
        """Give the folder of a simple index that knows the base's `names` and nothing else."""
        self._views += 1
        view = self._folder / f"view-{self._views}"
        view.mkdir(parents=True)
        for name in names:
            self._write(self._base.by_name[name])
            _link(self._all / name, view / name)
        return view

    def offer(self, names: Collection[str]) -> Path:
        """Give a flat folder with the base's `names`, as one choice among others (`--find-links`)."""
        self._views += 1
        view = self._folder / f"view-{self._views}"
        view.mkdir(parents=True)
        for name in names:
            self._write(self._base.by_name[name])
            for wheel in (self._all / name).glob("*.whl"):
                _link(wheel, view / wheel.name)
        return view

    def _write(self, item: InstalledDistribution) -> None:
        if item.name in self._written:
            return
        folder = self._all / item.name
        folder.mkdir(parents=True)
        stem = f"{item.name.replace('-', '_')}-{self._base.version(item.name)}"
        file = f"{stem}-py3-none-any.whl"
        with zipfile.ZipFile(folder / file, "w") as archive:
            for name, text in (
                ("METADATA", _describe(item, self._base)),
                ("WHEEL", _WHEEL),
                ("RECORD", ""),
            ):  # a fixed time: the same base gives the same bytes
                archive.writestr(zipfile.ZipInfo(f"{stem}.dist-info/{name}", (2000, 1, 1, 0, 0, 0)), text)
        link = file.replace("+", "%2B")
        (folder / "index.html").write_text(
            f'<!DOCTYPE html><html><body><a href="{link}">{file}</a></body></html>'
        )
        self._written.add(item.name)


def _link(source: Path, target: Path) -> None:
    try:
        os.symlink(source, target, target_is_directory=source.is_dir())  # noqa: PTH211
    except OSError:  # Windows without the right to make links
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)


def iterate_bounds(item: InstalledDistribution) -> Iterator[Requirement]:
    """Yield the requirements that an installed distribution declares and that can be read."""
    for line in item.requires:
        try:
            yield Requirement(line)
        except InvalidRequirement:  # pip never enforced what it could not read; nor can a plan
            continue


def _describe(item: InstalledDistribution, base: Base) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {item.name}", f"Version: {base.version(item.name)}"]
    extras: set[str] = set()
    for requirement in iterate_bounds(item):
        if _is_broken_already(requirement, base):
            continue
        if requirement.url is not None:  # what a URL gave is installed; another would be a change
            requirement.url = None
        lines.append(f"Requires-Dist: {requirement}")
        extras |= {canonicalize_name(name) for name in _EXTRA.findall(str(requirement.marker or ""))}
    lines += [f"Provides-Extra: {extra}" for extra in sorted(extras)]
    return "\n".join(lines) + "\n\n"


def _is_broken_already(requirement: Requirement, base: Base) -> bool:
    """Tell whether the base, as found, breaks this bound: then it is no reason to refuse an addition."""
    version = base.version(canonicalize_name(requirement.name))
    return version is not None and not requirement.specifier.contains(version, prereleases=True)
