"""Heals a torn process without a restart: puts the version that it has loaded back on disk."""

from __future__ import annotations

import contextlib
import importlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tierproof.errors import TierproofError
from tierproof.guard.capture.disk_history import HISTORY
from tierproof.guard.capture.installed import InstalledDistribution
from tierproof.guard.capture.loaded import capture_loaded_modules, holds_other_code
from tierproof.guard.capture.mapped import (
    MappedLibrary,
    holds,
    read_beginning,
    read_mapped_libraries,
    site_roots,
)
from tierproof.guard.capture.record import read_own_record
from tierproof.guard.mend.diagnosis import Diagnosis
from tierproof.guard.mend.doctor import diagnose_process
from tierproof.guard.mend.gather_loaded import find_replaced
from tierproof.guard.mend.heal_error import HealError
from tierproof.guard.mend.heal_journal import HealJournal, make_heal_folder, read_journal, read_start_ticks
from tierproof.guard.mend.heal_result import FailedHeal, HealedPackage, Healing
from tierproof.guard.mend.settle_heals import exchange, remove_heal_folder, settle_heals
from tierproof.guard.mend.site import Site
from tierproof.guard.mend.snapshot_entry import find_entries, lay_out
from tierproof.guard.mend.stage_version import adopt_scripts, empty, stage_version
from tierproof.guard.mend.swap import ForeignChangeError, choose_units, note_units
from tierproof.guard.mend.torn import Remedy, TornPackage
from tierproof.guard.system.environment_folder import find_environment_folder, find_folder_of_site
from tierproof.guard.system.environment_lock import lock_environment
from tierproof.guard.system.process import ProcessError, find_own_processes, has_maps

_LOCK_LIMIT_S = 300.0
_RESTART = "The package was left as it was. Restart the process: it then loads the version on disk."


def heal_process(pid: int) -> Healing:
    """Put the package versions that process `pid` has loaded back on disk, then diagnose it again.

    Each package is taken from a snapshot or downloaded into a separate folder, verified against its RECORD and
    the libraries that the process has mapped, and then moved in place by renames. A package that cannot be healed
    stays unchanged. Heals of one environment, and installs into it, wait for each other.

    Raises:
        ProcessError: the process cannot be inspected.
        EnvironmentBusyError: another process has been changing this environment for too long.
        OutputError: the user's data folder cannot be written.
    """
    began = time.perf_counter()
    healed, failed = [], []
    HISTORY.forget_failed_heals()  # the network may be back
    with _lock_sites(pid) as settled:
        notes = list(settled)
        for torn in diagnose_process(pid).torn:
            if torn.remedy is not Remedy.HEAL:
                continue
            try:
                healed.append(_heal_package(pid, torn, notes))
            except (TierproofError, OSError) as error:
                failed.append(FailedHeal(torn.package, str(error)))
                said = error.message if isinstance(error, TierproofError) else str(error)
                HISTORY.note_failed_heal(torn.package, torn.loaded_version, torn.disk_version, said)
        if pid == os.getpid():
            importlib.invalidate_caches()
        after = _diagnose_again(pid, notes, is_changed=bool(healed))
    return Healing(
        tuple(healed), (*failed, *_find_still_torn(healed, after)), after, time.perf_counter() - began
    )


def _diagnose_again(pid: int, notes: list[str], *, is_changed: bool) -> Diagnosis:
    """Diagnose after a heal; what fails there is told, as the packages are in place by then."""
    try:
        return diagnose_process(pid, notes=notes)
    except (TierproofError, OSError) as error:
        if not is_changed:
            raise
        return Diagnosis((), 0, 0.0, (*notes, f"process {pid} could not be diagnosed again: {error}"))


@contextlib.contextmanager
def _lock_sites(pid: int) -> Iterator[tuple[str, ...]]:
    """Hold the lock of the environment that the process runs in; what dead heals left there is settled."""
    roots = _site_of(pid).roots
    folder = find_folder_of_site(roots[0]) if roots and pid != os.getpid() else find_environment_folder()
    with lock_environment(folder, limit_s=_LOCK_LIMIT_S):
        yield settle_heals(roots)


def _find_still_torn(healed: list[HealedPackage], after: Diagnosis) -> tuple[FailedHeal, ...]:
    """A package that was put back and runs another version all the same was not healed."""
    names = {each.package for each in healed}
    return tuple(
        FailedHeal(
            each.package, "its files were put back on disk, but the process still runs another version"
        )
        for each in after.torn
        if each.package in names and each.remedy is Remedy.HEAL
    )


def _heal_package(pid: int, torn: TornPackage, notes: list[str]) -> HealedPackage:
    site = _site_of(pid)
    present = site.find(torn.package)
    root = present.root if present is not None else _find_former_root(site, torn.package)
    if present is not None and present.installer == "tierproof":
        raise HealError(
            f"{torn.package} was added by tierproof, and `heal` does not change such packages",
            hint="Restore the added packages with:  tierproof recover",
        )
    user = find_user_of_disk(site, torn.package, pid) if present is not None else None
    if user is not None:
        raise HealError(
            f"process {user} has loaded {torn.package} {torn.disk_version}: putting {torn.loaded_version} back on disk "
            "would break that process",
            hint=f"End process {user} and run the heal again. Or restart process {pid}, which then uses "
            f"{torn.disk_version}.",
        )
    try:
        folder = make_heal_folder(root)
    except OSError as error:
        raise HealError(f"cannot write to {root}: {error.strerror}", hint=_RESTART) from error
    try:
        staged = _stage(site, pid, torn, root, folder / "stage")
        adopt_scripts(staged, present)
        notes += _put_in_place(site, pid, root, folder, staged, present)
        if pid == os.getpid():  # compared with the loaded code: what differs from it now came between
            HISTORY.note_loaded(staged.name, staged.version)
    finally:
        with contextlib.suppress(OSError):  # the next call removes it
            if read_journal(folder) is None:  # else something is in part, and the next call settles it
                remove_heal_folder(folder)
    return HealedPackage(torn.package, torn.loaded_version, torn.disk_version)


def _site_of(pid: int) -> Site:
    if pid == os.getpid():
        return Site.of_this_interpreter()
    return Site(site_roots(read_mapped_libraries(pid)))


def _find_former_root(site: Site, name: str) -> Path:
    for root, first_sight in site.first_sights.items():
        if name in first_sight.versions:
            return root
    raise HealError(f"cannot find out where {name} was installed", hint=_RESTART)


def find_user_of_disk(site: Site, name: str, pid: int) -> int | None:
    """Another live process of this user that has a native library mapped which the disk now holds for `name`."""
    distribution = site.find(name)
    if distribution is None:
        return None
    present = set()
    for entry in read_own_record(distribution, strict=True):
        if ".so" in entry.path:
            try:
                status = (distribution.root / entry.path).stat()
            except OSError:
                continue
            present.add((status.st_dev, status.st_ino))
    for other in find_own_processes():
        if other == pid:
            continue
        try:
            libraries = read_mapped_libraries(other)
        except ProcessError:
            continue
        if any((library.device, library.inode) in present for library in libraries):
            return other
    return None


def _stage(site: Site, pid: int, torn: TornPackage, root: Path, stage: Path) -> InstalledDistribution:
    """Lay the loaded version out in `stage`: from a snapshot where one fits, else fetched."""
    reasons = []
    for entry in find_entries(find_folder_of_site(root) / "snapshots", torn.package, torn.loaded_version):
        if entry.root != str(root):
            continue
        try:
            staged = lay_out(entry, stage)
            _refuse_other_build(site, pid, torn, root, stage)
        except HealError as error:
            reasons.append(error.message)
            empty(stage)
            continue
        return staged
    try:
        staged = stage_version(torn.package, torn.loaded_version, stage)
        _refuse_other_build(site, pid, torn, root, stage)
    except HealError as error:
        raise HealError("; ".join([*reasons, error.message]), hint=error.hint) from error
    return staged


def _refuse_other_build(site: Site, pid: int, torn: TornPackage, root: Path, stage: Path) -> None:
    """Refuse files that are not the loaded ones: other libraries than are mapped, other code than is loaded."""
    if pid == os.getpid():
        _refuse_other_code(site, torn, root, stage)
    if not has_maps():
        return
    libraries: list[MappedLibrary] = find_replaced(
        site, pid, read_mapped_libraries(pid), (torn.package,)
    ).get(torn.package, [])
    for library in libraries:
        path = site.restore(library.path, (torn.package,))
        mapped = read_beginning(pid, library)
        if path is None or not mapped or not path.is_relative_to(root):
            continue
        if not holds(mapped, stage / path.relative_to(root), constant=library.constant):
            raise HealError(
                f"the available {torn.package} {torn.loaded_version} is a different build from the loaded one: "
                f"{path.name} differs",
                hint=_RESTART,
            )


def _refuse_other_code(site: Site, torn: TornPackage, root: Path, stage: Path) -> None:
    """Refuse a version that explains none of the modules in question."""
    named = [each for each in site.place(capture_loaded_modules()) if each[0].name in torn.modules]
    inside = [(module, path.relative_to(root)) for module, path in named if path.is_relative_to(root)]
    if inside and all(holds_other_code(module, stage / path) for module, path in inside):
        raise HealError(
            f"the loaded modules differ from the code of {torn.package} {torn.loaded_version} that would be put back",
            hint=_RESTART,
        )


def _put_in_place(
    site: Site,
    pid: int,
    root: Path,
    folder: Path,
    staged: InstalledDistribution,
    present: InstalledDistribution | None,
) -> list[str]:
    new = _files_inside(staged)
    old = _files_inside(present) if present is not None else set()
    shared = {
        above
        for other in site.distributions
        if other.root == root and other.name != staged.name
        for path in _files_inside(other)
        for above in _folders_of(path)
    }
    units = note_units(root, folder / "stage", choose_units(sorted(new | old), shared))
    journal = HealJournal(
        staged.name,
        staged.version,
        present.version if present is not None else "",
        pid,
        read_start_ticks(pid),
        units,
        tuple(sorted(old)),
    )
    try:
        note = exchange(root, folder, journal)
    except (OSError, ForeignChangeError) as error:
        reason = f"another process has changed {error}" if isinstance(error, ForeignChangeError) else error
        raise HealError(
            f"cannot move {staged.name} into place: {reason}",
            hint="Run the heal again: it first finishes or undoes this interrupted one.",
        ) from error
    return [note] if note else []


def _files_inside(distribution: InstalledDistribution) -> set[str]:
    entries = read_own_record(distribution, strict=True)
    return {entry.path for entry in entries if not entry.path.startswith(("..", "/"))}


def _folders_of(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]
