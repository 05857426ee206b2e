"""One exact version of a distribution, fetched into a folder and verified, touching nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.utils import canonicalize_name

from tierproof._optional import require
from tierproof.errors import HealError, MissingPackageError
from tierproof.guard.installed import InstalledDistribution, iterate_installed
from tierproof.guard.record import find_mismatches, format_record, read_record

_LIMIT_S = 600
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
# Where packages come from and how they are reached stays the user's; the rest would change what is installed.
_KEPT = re.compile(
    r"UV_((DEFAULT_|EXTRA_)?INDEX.*|FIND_LINKS|NO_INDEX|CACHE_DIR|OFFLINE|NATIVE_TLS|SYSTEM_CERTS|HTTP_.*"
    r"|KEYRING_PROVIDER|INSECURE_HOST)\Z"
)
_DROPPED = ("UV_", "PIP_", "PYTHON", "VIRTUAL_ENV")


def stage_version(name: str, version: str, folder: Path, *, interpreter: str = "") -> InstalledDistribution:
    """Install `name==version` alone into the empty `folder` by uv, from wheels, and verify every hash.

    Args:
        name: of the distribution.
        version: the exact one.
        folder: where to; on the file system where it will be used.
        interpreter: whose wheels; the running one by default.

    Raises:
        HealError: it could not be fetched, or what came is not what was asked for.
        MissingPackageError: there is no uv.
    """
    command = [find_uv(), "pip", "install", "--quiet", "--no-deps", "--no-python-downloads"]
    command += ["--link-mode", "copy", "--only-binary", ":all:", "--python", interpreter or sys.executable]
    command += ["--target", str(folder), f"{name}=={version}"]
    environment = {
        key: value for key, value in os.environ.items() if _KEPT.match(key) or not key.startswith(_DROPPED)
    }
    try:
        result = subprocess.run(
            command,
            env=environment,
            cwd=folder,  # no uv.toml or pyproject.toml of a project nearby
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise HealError(f"{name} {version} was not fetched within {_LIMIT_S} s") from error
    if result.returncode:
        words = _CREDENTIALS.sub("***@", " ".join(result.stderr.split()))
        raise HealError(f"{name} {version} could not be fetched: {words[-600:]}")
    return verify_staged(name, version, folder)


def verify_staged(name: str, version: str, folder: Path) -> InstalledDistribution:
    """Give the one distribution in `folder`, if it is `name` `version` and every file is as its RECORD says.

    Raises:
        HealError: it is not.
    """
    found = list(iterate_installed([str(folder)]))
    if [(each.name, each.version) for each in found] != [(canonicalize_name(name), version)]:
        came = ", ".join(f"{each.name} {each.version}" for each in found) or "nothing"
        raise HealError(f"{name} {version} was asked for; what came is {came}")
    (staged,) = found
    entries = read_record(staged.metadata_path)
    wrong = find_mismatches(folder, entries)
    if wrong or not entries:
        raise HealError(f"{name} {version} arrived damaged: {', '.join(wrong[:3]) or 'it has no RECORD'}")
    return staged


def adopt_scripts(staged: InstalledDistribution, present: InstalledDistribution | None) -> None:
    """Let the staged RECORD name the scripts that stay where they are, in place of those in the target folder."""
    kept = [entry for entry in read_record(staged.metadata_path) if not entry.path.startswith("bin/")]
    if present is not None:
        kept += [entry for entry in read_record(present.metadata_path) if entry.path.startswith("..")]
    (staged.metadata_path / "RECORD").write_text(
        format_record(kept), encoding="utf-8", errors="surrogateescape"
    )


def find_uv() -> str:
    """Find the uv binary: the uv package's, else the one on PATH.

    Raises:
        MissingPackageError: there is none.
    """
    try:
        return str(require("uv", feature="to fetch the loaded version").find_uv_bin())
    except (MissingPackageError, FileNotFoundError):
        found = shutil.which("uv")
        if found is None:
            raise
        return found
