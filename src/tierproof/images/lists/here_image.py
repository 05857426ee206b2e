"""This interpreter as an image: what is installed as a freeze list, with its Python and platform."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from pathlib import Path

from packaging.version import InvalidVersion, Version

from tierproof.guard.capture.installed import capture_installed
from tierproof.images.lists.freeze_file import FreezeFile, FrozenPackage, SkippedLine
from tierproof.images.lists.image_contents import ImageContents
from tierproof.images.lists.image_index import HERE, Image

_NO_FILE = Path()


def capture_here() -> ImageContents:
    """Capture what is installed here, including what tierproof has added to this environment.

    No file is written. Each package is listed with its version, even if it came from a URL or a folder.
    """
    packages: list[FrozenPackage] = []
    skipped: list[SkippedLine] = []
    for number, item in enumerate(sorted(capture_installed(), key=lambda each: each.name), 1):
        try:
            packages.append(FrozenPackage(item.name, str(Version(item.version)), line=number))
        except InvalidVersion:
            text = f"{item.name}==={item.version}"
            skipped.append(SkippedLine(number, text, "the version is not valid (PEP 440)"))
    versions = {item.name: item.version for item in packages}
    image = Image(
        HERE,
        _find_hardware(),
        _NO_FILE,
        ".".join(str(part) for part in sys.version_info[:3]),
        _find_system(),
        packages=len(packages),
        numpy=versions.get("numpy", ""),
        torch=versions.get("torch", ""),
        transformers=versions.get("transformers", ""),
        given_platform=_find_platform(),
    )
    return ImageContents(image, FreezeFile(tuple(packages), tuple(skipped)))


def format_list(file: FreezeFile) -> str:
    """Give the freeze list of packages that all have a version."""
    return "".join(f"{item.name}=={item.version}\n" for item in file.packages)


def _find_hardware() -> str:
    if Path("/dev/nvidia0").exists() or Path("/dev/nvidiactl").exists():
        return "gpu"
    return "tpu" if Path("/dev/accel0").exists() else "cpu"


def _find_system() -> str:
    try:
        return str(platform.freedesktop_os_release().get("PRETTY_NAME", ""))
    except OSError:
        return f"{platform.system()} {platform.release()}".strip()


def _find_platform() -> str:
    """Give the platform as uv names it where it is Linux with a glibc, else as Python names it."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (AttributeError, ValueError, OSError):
        name = version = ""
    if sys.platform != "linux" or name != "glibc":
        return sysconfig.get_platform()
    return f"{platform.machine()}-manylinux_{version.replace('.', '_')}"
