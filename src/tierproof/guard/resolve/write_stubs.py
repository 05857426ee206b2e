"""Write the base as stubs: for each installed distribution a wheel that holds its metadata alone."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tierproof.guard.capture.base import Base
from tierproof.guard.capture.declared_bounds import iterate_bounds, list_bounds
from tierproof.guard.capture.installed import InstalledDistribution

FLAT, BOUNDS = "flat", "bounds.json"
_TAG = "-py3-none-any.whl"
_WHEEL = "Wheel-Version: 1.0\nGenerator: tierproof\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


def write_stubs(base: Base, folder: Path) -> None:
    """Write the stubs of `base` into `folder`.

    `flat` is the folder of all wheels, `bounds.json` the bounds that apply within the base.
    """
    (folder / FLAT).mkdir()
    bounds = []
    for name, item in base.by_name.items():
        requirements = list(iterate_bounds(item))
        bounds += list_bounds(name, requirements, base.markers)
        file = name_stub(name, str(base.version(name)))
        _write_wheel(folder / FLAT / file, file.removesuffix(_TAG), _describe(item, requirements, base))
    lines = [[each.owner, each.name, each.specifier] for each in bounds]
    (folder / BOUNDS).write_text(json.dumps(lines), encoding="utf-8")


def name_stub(name: str, version: str) -> str:
    """Return the file name of a stub."""
    return f"{name.replace('-', '_')}-{version}{_TAG}"


def _write_wheel(path: Path, stem: str, metadata: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (("METADATA", metadata), ("WHEEL", _WHEEL), ("RECORD", "")):
            # A fixed time: the same base gives the same bytes.
            archive.writestr(zipfile.ZipInfo(f"{stem}.dist-info/{name}", (2000, 1, 1, 0, 0, 0)), text)


def _describe(item: InstalledDistribution, requirements: Sequence[Requirement], base: Base) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {item.name}", f"Version: {base.version(item.name)}"]
    extras: set[str] = set()
    for requirement in requirements:
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
