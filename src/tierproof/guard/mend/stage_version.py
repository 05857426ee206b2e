"""Downloads one exact version of a distribution into a folder and verifies it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from packaging.utils import canonicalize_name

from tierproof.guard.capture.installed import InstalledDistribution, iterate_installed
from tierproof.guard.capture.record import find_mismatches, format_record, read_record
from tierproof.guard.mend.heal_error import HealError
from tierproof.guard.resolve.index_settings import read_index_settings
from tierproof.guard.resolve.plan_error import PlanError
from tierproof.guard.resolve.run_uv import run_uv

_RETRY = "Check the network and the package index, then run the heal again; or restart the kernel."
_LIMIT_S = 600


def stage_version(name: str, version: str, folder: Path, *, interpreter: str = "") -> InstalledDistribution:
    """Install `name==version` alone into the empty `folder` by uv, from wheels, and verify every hash.

    Args:
        name: of the distribution.
        version: the exact one.
        folder: the target, on the file system where the files will be used.
        interpreter: path of the Python that the wheels must fit; the running one by default.

    Raises:
        HealError: it cannot be downloaded, or the download is another version or damaged.
        MissingPackageError: uv is not installed.
    """
    settings = read_index_settings()
    command = ["pip", "install", "--quiet", "--no-deps", "--no-python-downloads", "--no-config"]
    command += ["--link-mode", "copy", "--only-binary", ":all:", "--python", interpreter or sys.executable]
    command += ["--no-index"] if settings.no_index else []
    command += [*settings.options, "--target", str(folder), f"{name}=={version}"]
    try:
        answer = run_uv(command, environment=settings.environment, folder=folder, limit_s=_LIMIT_S)
    except PlanError as error:
        raise HealError(
            f"{name} {version} could not be downloaded: {error.message}", hint=error.hint
        ) from error
    if answer.status:
        raise HealError(
            f"{name} {version} could not be fetched: {' '.join(answer.words.split())[-600:]}", hint=_RETRY
        )
    return verify_staged(name, version, folder)


def verify_staged(name: str, version: str, folder: Path) -> InstalledDistribution:
    """Return the one distribution in `folder`, if it is `name` `version` and every file is as its RECORD says.

    Raises:
        HealError: it is another version, or a file does not match.
    """
    found = list(iterate_installed([str(folder)]))
    if [(each.name, each.version) for each in found] != [(canonicalize_name(name), version)]:
        came = ", ".join(f"{each.name} {each.version}" for each in found) or "nothing"
        raise HealError(
            f"{name} {version} was asked for, but the package index delivered {came}",
            hint=f"Check that the index that pip or uv is configured with offers {name} {version}, then run the heal "
            "again; or restart the kernel to use what is installed.",
        )
    (staged,) = found
    entries = read_record(staged.metadata_path, strict=True)
    wrong = find_mismatches(folder, entries)
    if wrong or not entries:
        raise HealError(
            f"the downloaded {name} {version} is damaged: {', '.join(wrong[:3]) or 'it lists no files'}",
            hint=_RETRY,
        )
    return staged


def adopt_scripts(staged: InstalledDistribution, present: InstalledDistribution | None) -> None:
    """Let the staged RECORD name the scripts that stay where they are, in place of those in the target folder."""
    kept = [
        entry for entry in read_record(staged.metadata_path, strict=True) if not entry.path.startswith("bin/")
    ]
    if present is not None:
        kept += [
            entry for entry in read_record(present.metadata_path, strict=True) if entry.path.startswith("..")
        ]
    # A new file: the staged one may be a second name of one that is kept elsewhere.
    record = staged.metadata_path / "RECORD"
    record.unlink()
    record.write_text(format_record(kept), encoding="utf-8", errors="surrogateescape")


def empty(folder: Path) -> None:
    """Remove everything in `folder`."""
    shutil.rmtree(folder)
    folder.mkdir()
