"""A package index made of tiny wheels, in a folder; and bases that exist only as metadata."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.markers import default_environment

from tierproof.guard.capture.base import Base
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.loaded_distributions import Loaded
from tierproof.guard.judge.judge_plan import make_plan
from tierproof.guard.judge.plan import Plan


def write_wheel(
    folder: Path,
    name: str,
    version: str,
    requires: Sequence[str] = (),
    extras: Sequence[str] = (),
    *,
    files: Mapping[str, str] | None = None,
    record: str | None = None,
    tag: str = "py3-none-any",
    requires_python: str = "",
) -> Path:
    """Write a wheel; its Requires-Dist and Provides-Extra as given.

    Args:
        folder: where to.
        name: of the distribution.
        version: of it.
        requires: Requires-Dist lines.
        extras: Provides-Extra names.
        files: its contents by path; one module with a `__version__` by default.
        record: a RECORD that lies; a true one by default.
        tag: of its name.
        requires_python: the Pythons that it takes; any by default.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-{tag}.whl"
    metadata = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}"]
    metadata += [f"Requires-Python: {requires_python}"] if requires_python else []
    metadata += [f"Provides-Extra: {extra}" for extra in extras]
    metadata += [f"Requires-Dist: {line}" for line in requires]
    info = f"{stem}.dist-info"
    contents = {
        **(files if files is not None else {f"{name.replace('-', '_')}.py": f"__version__ = {version!r}\n"}),
        f"{info}/METADATA": "\n".join(metadata) + "\n\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in contents.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", _record(contents, info) if record is None else record)
    return path


def _record(contents: Mapping[str, str], info: str) -> str:
    lines = []
    for file, text in contents.items():
        data = text.encode()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        lines.append(f"{file},sha256={digest},{len(data)}")
    return "\n".join([*lines, f"{info}/RECORD,,"]) + "\n"


@dataclass
class Wheelhouse:
    """A simple index in `folder`/simple, and a cache for uv."""

    folder: Path
    _bounds: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return (self.folder / "simple").as_uri()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "UV_DEFAULT_INDEX": self.url,
            "UV_CACHE_DIR": str(self.folder / "cache"),
        }

    def add(
        self,
        name: str,
        version: str,
        *requires: str,
        extras: Sequence[str] = (),
        files: Mapping[str, str] | None = None,
        record: str | None = None,
        tag: str = "py3-none-any",
        requires_python: str = "",
    ) -> Path:
        folder = self.folder / "simple" / name
        path = write_wheel(
            folder,
            name,
            version,
            requires,
            extras,
            files=files,
            record=record,
            tag=tag,
            requires_python=requires_python,
        )
        if requires_python:
            self._bounds[path.name] = requires_python
        self._index(name)
        return path

    def add_source(self, name: str, version: str, marker: Path, requires: Sequence[str] = ()) -> None:
        """Add a source distribution that writes `marker` when it is built, and declares `requires` without a promise."""
        folder = self.folder / "simple" / name
        folder.mkdir(parents=True, exist_ok=True)
        setup = f"open({str(marker)!r}, 'w').close()\nfrom setuptools import setup\nsetup(name={name!r}, version={version!r}, install_requires={list(requires)!r}, py_modules=[])\n"
        with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
            for file, text in (
                ("setup.py", setup),
                ("PKG-INFO", f"Metadata-Version: 1.0\nName: {name}\nVersion: {version}\n"),
                (f"{name}.egg-info/requires.txt", "".join(f"{line}\n" for line in requires)),
            ):
                entry = tarfile.TarInfo(f"{name}-{version}/{file}")
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
        self._index(name)

    def add_buildable(self, name: str, version: str, code: str, requires: Sequence[str] = ()) -> None:
        """Add a source distribution with a backend of its own, which runs `code` and tells `requires`."""
        folder = self.folder / "simple" / name
        folder.mkdir(parents=True, exist_ok=True)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
        backend = (
            "import os\nfrom pathlib import Path\n"
            "def prepare_metadata_for_build_wheel(folder, settings=None):\n"
            f"    exec({code!r})\n"
            f"    info = Path(folder, '{name}-{version}.dist-info')\n"
            "    info.mkdir()\n"
            f"    (info / 'METADATA').write_text({metadata!r})\n"
            "    return info.name\n"
            "def build_wheel(folder, settings=None, metadata=None):\n"
            "    import zipfile\n"
            f"    stem = '{name}-{version}'\n"
            "    name = stem + '-py3-none-any.whl'\n"
            "    with zipfile.ZipFile(Path(folder, name), 'w') as archive:\n"
            f"        archive.writestr('{name}.py', {f'__version__ = {version!r}'!r})\n"
            f"        archive.writestr(stem + '.dist-info/METADATA', {metadata!r})\n"
            "        archive.writestr(stem + '.dist-info/WHEEL', 'Wheel-Version: 1.0\\nTag: py3-none-any\\n"
            "Root-Is-Purelib: true\\n')\n"
            "        archive.writestr(stem + '.dist-info/RECORD', '')\n"
            "    return name\n"
        )
        system = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        with tarfile.open(folder / f"{name}-{version}.tar.gz", "w:gz") as archive:
            for file, text in (("backend.py", backend), ("pyproject.toml", system), ("PKG-INFO", metadata)):
                entry = tarfile.TarInfo(f"{name}-{version}/{file}")
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text.encode()))
        self._index(name)

    def plan(self, *requirements: str, base: Base, **options: object) -> Plan:
        options = {"environment": self.environment, **options}
        return make_plan(requirements, base, **options)  # type: ignore[arg-type]

    def _index(self, name: str) -> None:
        folder = self.folder / "simple" / name
        files = sorted(path.name for path in folder.iterdir() if path.name != "index.html")
        links = "".join(
            f'<a href="{file}" data-requires-python="{html.escape(self._bounds.get(file, ""))}">{file}</a>\n'
            for file in files
        )
        (folder / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")


def make_base(
    installed: Mapping[str, str],
    requires: Mapping[str, Sequence[str]] | None = None,
    loaded: Sequence[str] = (),
) -> Base:
    """A base in which `installed` maps names to versions and `requires` names to Requires-Dist lines."""
    root = Path("/nowhere/site-packages")
    distributions = tuple(
        InstalledDistribution(
            name, version, root / f"{name}.dist-info", root, tuple((requires or {}).get(name, ()))
        )
        for name, version in installed.items()
    )
    markers: dict[str, str] = dict(default_environment())  # type: ignore[arg-type]
    return Base(
        "here",
        sys.executable,
        ".".join(map(str, sys.version_info[:3])),
        markers,
        (str(root),),
        distributions,
        Loaded(frozenset(loaded), "Loaded is what the test says."),
    )


def list_versions(items: Iterable[Any]) -> list[str]:
    """Name and version of each planned package."""
    return [f"{item.name} {item.version}" for item in items]
