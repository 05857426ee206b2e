"""Decides whether a package is torn, and the remedy: once, for the doctor and for a heal.

A process is *torn* where it runs another version than the disk holds. It is *mixed* where it has code of both:
something was imported between the install and now, or the disk holds the loaded version again and the process
still has code of the other. A mixed process is mended by a restart alone.
"""

from __future__ import annotations

from packaging.version import InvalidVersion, Version

from tierproof.guard.mend.describe_tear import describe
from tierproof.guard.mend.torn import DiskPackage, LoadedPackage, Remedy, TearSign, TornPackage


def judge_package(loaded: LoadedPackage, disk: DiskPackage) -> TornPackage | None:
    """Judge one package from the captured facts; None if there is no evidence of a tear.

    A version alone is not evidence: packages are careless with `__version__`. It counts together with a library or
    a module that differs.
    """
    evidence = find_evidence(loaded, disk)
    if not evidence:
        return None
    remedy = choose_remedy(loaded, disk, evidence)
    detail = describe(loaded, disk, evidence, remedy)
    version = loaded.version
    return TornPackage(
        loaded.name, version, disk.version, evidence, remedy, detail, loaded.differing, loaded.pid
    )


def find_evidence(loaded: LoadedPackage, disk: DiskPackage) -> tuple[TearSign, ...]:
    """Name what shows that the process and the disk, or the disk and its own records, do not agree."""
    found = {
        TearSign.VERSION: _runs_another_version(loaded, disk),
        TearSign.NATIVE_LIBRARY_REPLACED: bool(loaded.replaced),
        TearSign.RECORD_MISMATCH: bool(disk.mismatches)
        or (bool(disk.overwritten_by) and bool(loaded.replaced or loaded.differing)),
        TearSign.DUPLICATE_METADATA: bool(disk.duplicates),
        TearSign.IMPORT_FAILS: bool(disk.import_error),
        TearSign.IMPORTED_WHILE_TORN: is_mixed(loaded, disk),
    }
    return tuple(code for code, holds in found.items() if holds)


def choose_remedy(loaded: LoadedPackage, disk: DiskPackage, evidence: tuple[TearSign, ...]) -> Remedy:
    """Choose the remedy: the one place where it is decided.

    - A restart is advised only where nothing shows that a fresh process fails.
    - A heal is advised only where it changes something: the loaded version is known, and the disk holds another
      one or a damaged one, and the same heal has not failed already.
    """
    if not (loaded.replaced or loaded.differing or loaded.late):
        return Remedy.REINSTALL
    is_whole = _is_same_version(loaded, disk) and not is_damaged(disk)
    can_heal = bool(loaded.version) and not is_whole and not loaded.failed_heal
    fails = TearSign.IMPORT_FAILS in evidence
    if is_mixed(loaded, disk):
        return Remedy.RESTART if not fails else Remedy.HEAL if can_heal else Remedy.REINSTALL
    if can_heal:
        return Remedy.HEAL
    return Remedy.REINSTALL if fails else Remedy.RESTART


def is_mixed(loaded: LoadedPackage, disk: DiskPackage) -> bool:
    """Tell whether the process has code of two versions."""
    if loaded.late:
        return True
    differs = bool(loaded.replaced or loaded.differing)
    return differs and bool(loaded.version) and _is_same_version(loaded, disk) and not is_damaged(disk)


def is_damaged(disk: DiskPackage) -> bool:
    """Tell whether files on disk are not those that the distribution installed."""
    return bool(disk.mismatches or disk.overwritten_by)


def _is_same_version(loaded: LoadedPackage, disk: DiskPackage) -> bool:
    if loaded.is_exact:
        return loaded.version == disk.version
    return agree(loaded.version, disk.version)


def _runs_another_version(loaded: LoadedPackage, disk: DiskPackage) -> bool:
    if not loaded.version:  # which one is not known, but that it is another
        return bool(loaded.differing) and not loaded.replaced
    differs = bool(loaded.replaced or loaded.differing)
    return differs and not _is_same_version(loaded, disk)


def agree(loaded: str, disk: str) -> bool:
    """Tell whether two spellings may name one version: equal, or one a shorter form of the other's release."""
    try:
        first, second = Version(loaded), Version(disk)
    except InvalidVersion:
        return loaded == disk
    if first.public == second.public:
        return True
    shorter, longer = sorted((first.release, second.release), key=len)
    return len(shorter) < len(longer) and longer[: len(shorter)] == shorter and first.pre == second.pre
