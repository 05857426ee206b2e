"""A ghost of an image: a virtual environment with pip, in which the image's packages are installed by name alone.

Each package of the image's list is a `.dist-info` folder with its real METADATA (read from its wheel on the index),
INSTALLER and RECORD, and no code. That is all pip's resolver looks at.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from public_notebooks.release_metadata import FOLDER_VARIABLE, read_metadata

PIP = "24.1.2"  # the image's own
_INDEX = "https://pypi.org/simple"
_AT_ONCE = 8
_MARKERS = {"extra": "", "python_version": "3.12", "python_full_version": "3.12.13"}


@dataclass(frozen=True)
class Ghost:
    """A ghost on disk.

    Attributes:
        folder: of the virtual environment.
        metadata: folder of the kept METADATA texts.
    """

    folder: Path
    metadata: Path

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def site(self) -> Path:
        """Its site-packages."""
        return next((self.folder / "lib").glob("python3.*/site-packages"))

    def read_versions(self) -> dict[str, str]:
        """What is installed in it, version by normalised name."""
        found = {}
        for folder in self.site.glob("*.dist-info"):
            name, _, version = folder.name.removesuffix(".dist-info").partition("-")
            found[str(canonicalize_name(name))] = version
        return found

    def remove(self, name: str) -> None:
        """Take a package away."""
        for folder in self.site.glob("*.dist-info"):
            if canonicalize_name(folder.name.partition("-")[0]) == name:
                shutil.rmtree(folder)

    def put(self, name: str, version: str, metadata: str | None) -> None:
        """Install a package, in place of another version of it."""
        self.remove(str(canonicalize_name(name)))
        spelled = re.sub(r"[-_.]+", "_", name)
        folder = self.site / f"{spelled}-{version}.dist-info"
        folder.mkdir()
        text = metadata or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        text = re.sub(r"(?m)^Version: .*$", f"Version: {version}", text, count=1)
        (folder / "METADATA").write_text(text, encoding="utf-8")
        (folder / "INSTALLER").write_text("pip\n")
        (folder / "RECORD").write_text(f"{folder.name}/METADATA,,\n")

    def copy(self, folder: Path) -> Ghost:
        """A second one with the same packages; its files are shared, for none is ever written again."""
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(self.folder, folder, symlinks=True, copy_function=os.link)
        return Ghost(folder, self.metadata)

    def dry_run(
        self, arguments: Sequence[str], report: Path, limit_s: float
    ) -> subprocess.CompletedProcess[str]:
        """Run pip's resolution with `arguments`, which writes `report` if it succeeds.

        Raises:
            subprocess.TimeoutExpired: it took longer than `limit_s`.
        """
        report.unlink(missing_ok=True)
        scratch = report.parent / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))},
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_RETRIES": "0",
            "PIP_DEFAULT_TIMEOUT": "20",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INPUT": "1",
            "TMPDIR": str(scratch),
            FOLDER_VARIABLE: str(self.metadata),
        }
        environment.pop("PYTHONPATH", None)
        runner = Path(__file__).with_name("pip_dry_run.py")
        command = [str(self.python), str(runner), str(report), *arguments]
        try:
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                check=False,
                timeout=limit_s,
                env=environment,
                cwd=scratch,
            )
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def make_ghost(folder: Path, interpreter: str, packages: Mapping[str, str], metadata: Path) -> Ghost:
    """Make the ghost of a list of packages, version by name as written there.

    Args:
        folder: to make it in; one that is there is taken as it is.
        interpreter: CPython of the image's minor version.
        packages: of the image.
        metadata: folder for METADATA texts.
    """
    ghost = Ghost(folder, metadata)
    if (folder / "complete").exists():
        return ghost
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
    quiet = {**os.environ, "PIP_CONFIG_FILE": os.devnull}
    subprocess.run([str(ghost.python), "-m", "pip", "install", "-q", f"pip=={PIP}"], check=True, env=quiet)
    os.environ[FOLDER_VARIABLE] = str(metadata)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        texts = dict(zip(packages, pool.map(lambda item: read_release(*item), packages.items()), strict=True))
    for name, version in packages.items():
        if name != "pip":
            text = texts[name]
            if text and "+" in version:
                text = _keep_met(text, packages)
            ghost.put(name, version, text)
    bare = sorted(name for name, text in texts.items() if text is None)
    (folder / "complete").write_text(json.dumps(bare))
    return ghost


def read_release(name: str, version: str) -> str | None:
    """Give the METADATA of a release from one of its wheels on PyPI; None where there is none."""
    request = urllib.request.Request(
        f"{_INDEX}/{canonicalize_name(name)}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            files = json.load(answer)["files"]
        public = Version(version).public
    except (OSError, urllib.error.URLError, ValueError, KeyError, InvalidVersion):
        return None
    wheels = [each["url"] for each in files if _is_wheel_of(each["filename"], public)]
    wheels.sort(key=lambda url: ("none-any" not in url, "cp312-manylinux" not in url, url))
    return read_metadata(wheels[0]) if wheels else None


def _is_wheel_of(filename: str, version: str) -> bool:
    try:
        return filename.endswith(".whl") and parse_wheel_filename(filename)[1] == Version(version)
    except (InvalidWheelFilename, InvalidVersion):
        return False


def _keep_met(text: str, packages: Mapping[str, str]) -> str:
    """Leave out the requirements that the image does not meet: its own build (CUDA 12, say) has others."""
    versions = {str(canonicalize_name(name)): version for name, version in packages.items()}

    def is_met(line: str) -> bool:
        try:
            requirement = Requirement(line.partition(":")[2].strip())
        except InvalidRequirement:
            return False
        if requirement.marker is not None and not requirement.marker.evaluate(_MARKERS):
            return True
        present = versions.get(str(canonicalize_name(requirement.name)))
        return present is not None and requirement.specifier.contains(present, prereleases=True)

    head, _, body = text.partition("\n\n")
    lines = [line for line in head.splitlines() if not line.startswith("Requires-Dist:") or is_met(line)]
    return "\n".join(lines) + "\n\n" + body
