"""Recover what was added, after a restart or on a fresh machine: from an archive, or exactly by its lock."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tierproof.errors import UsageError
from tierproof.guard.capture.base import Base
from tierproof.guard.capture.module_collisions import list_yielding
from tierproof.guard.capture.record import read_record
from tierproof.guard.generations.activate import activate
from tierproof.guard.generations.activation_history import read_history
from tierproof.guard.generations.generation import Generation
from tierproof.guard.generations.generation_path_file import read_present
from tierproof.guard.generations.generation_store import GenerationStore, write_generation
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.generations.saved_lock import SavedLock, name_python, read_saved_lock
from tierproof.guard.judge.conflict import describe_conflicts
from tierproof.guard.judge.plan import AddedPackage
from tierproof.guard.judge.unmet_bounds import find_unmet_bounds
from tierproof.guard.operations.change_environment import change_environment
from tierproof.guard.operations.receipt import Receipt
from tierproof.guard.operations.rollback import capture_other_base
from tierproof.guard.resolve.index_settings import read_index_settings
from tierproof.guard.resolve.lock import read_lock
from tierproof.guard.resolve.pylock import format_pylock
from tierproof.guard.stage.archive import (
    ARCHIVE_NAME,
    LOCK_NAME,
    copy_privately,
    note_digest,
    read_archive,
    read_noted_digests,
)
from tierproof.guard.stage.assemble import GenerationContents
from tierproof.guard.stage.fetch_packages import stage_packages
from tierproof.guard.stage.refuse_collisions import refuse_collisions, refuse_names
from tierproof.guard.system.environment_folder import find_environment_folder
from tierproof.guard.system.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class RecoverRequest:
    """The options of a recovery.

    Attributes:
        folder: the folder that `save` wrote; None to restore this environment's last generation.
        lock: a copy of the lock that the user trusts; None to use the one in `folder`.
        trust: accept an archive that cannot be verified.
        in_process: make the packages visible in the calling process at once.
        limit_s: seconds that a download may take.
        on_step: called with a short description of each step.
    """

    folder: Path | None = None
    lock: Path | None = None
    trust: bool = False
    in_process: bool = False
    limit_s: float = 600.0
    on_step: Callable[[str], None] = field(default=lambda _: None)


def recover(request: RecoverRequest) -> Receipt:
    """Restore added packages.

    With an archive, nothing is downloaded. Without one, or on another kind of interpreter, every package is
    downloaded again in exactly the version and with exactly the hashes of the lock.

    Raises:
        UsageError: there is nothing to recover.
        InstallError: the archive cannot be verified, is hostile or damaged, or the packages do not fit the
            packages installed now.
    """
    watch = Stopwatch()
    store = GenerationStore(find_environment_folder())
    with change_environment(store):
        present = read_present(store)
        staging = store.make_staging()
        try:
            generation = _find(request, store, staging)
            watch.lap("stage")
            activated = activate(store, generation, "recover", in_process=request.in_process)
            watch.lap("activate")
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    versions = generation.versions
    return Receipt(
        "recover",
        generation.id,
        "" if present is None else present.id,
        added=tuple(AddedPackage(name, version) for name, version in sorted(versions.items())),
        path_entry=str(store.site(generation.id)),
        session_only=activated.session_only,
        restart_needed=activated.restart_needed,
        in_process=request.in_process,
        launchers=activated.launchers,
        notes=activated.notes,
        parts_s=watch.parts_s,
        duration_s=watch.total_s(),
    )


def _find(request: RecoverRequest, store: GenerationStore, staging: Path) -> Generation:
    """Return the generation to recover, in the store and whole."""
    if request.folder is None and request.lock is None:
        return _recover_own(request, store, staging)
    lock_file = request.lock or (request.folder or Path()) / LOCK_NAME
    saved = read_saved_lock(lock_file)
    if saved.generation and store.is_whole(saved.generation):
        generation = store.read(saved.generation)
        _refuse_unfit(store.path(generation.id), generation, capture_other_base(store))
        return generation
    archive = None if request.folder is None else request.folder / ARCHIVE_NAME
    if archive is not None and archive.is_file() and saved.python in ("", name_python()):
        request.on_step("unpacking the archive")
        generation = _unpack(request, archive, saved, staging)
    else:
        _refuse_unvouched(request, saved, lock_file)
        generation = _install_exactly(request, saved, lock_file.parent, store, staging)
    if request.lock is not None or request.trust:  # not for a known archive: the lock beside it may be forged
        note_digest(saved.digest)
    return _admit(store, staging, generation)


def _recover_own(request: RecoverRequest, store: GenerationStore, staging: Path) -> Generation:
    """Re-attach the generation that this environment had last, mended by its lock where it is damaged."""
    history = [entry for entry in read_history(store) if not entry.session_only and entry.generation]
    if not history:
        raise UsageError(
            "tierproof has never added packages to this environment",
            hint="If you have saved packages, run `tierproof recover FOLDER` with the folder that `tierproof save` "
            "wrote.",
        )
    identifier = history[-1].generation
    if store.is_whole(identifier):
        generation = store.read(identifier)
        _refuse_unfit(store.path(identifier), generation, capture_other_base(store))
        return generation
    lock_file = store.lock_file(identifier)
    if not lock_file.is_file():
        raise InstallError(
            f"the added packages in {store.path(identifier)} are damaged, and the lock file to restore them from is "
            f"missing in {lock_file.parent}",
            hint="Run `tierproof recover FOLDER` with the folder that `tierproof save` wrote, or install the packages "
            "again: tierproof install "
            + " ".join(package.replace(" ", "==") for package in history[-1].packages),
        )
    saved = read_saved_lock(lock_file)
    return _admit(store, staging, _install_exactly(request, saved, lock_file.parent, store, staging))


def _unpack(request: RecoverRequest, archive: Path, saved: SavedLock, staging: Path) -> Generation:
    copy, digest = copy_privately(archive, staging.parent)
    with copy:
        if request.lock is not None and saved.archive_sha256 and digest != saved.archive_sha256:
            raise InstallError(
                f"refused: {archive} does not match the lock file {request.lock}",
                hint=f"The archive was changed or is damaged. Run `tierproof recover --lock {request.lock}`, without "
                "the folder, to download everything again.",
            )
        vouched = {*read_noted_digests(), *([saved.archive_sha256] if request.lock is not None else [])}
        if digest not in vouched and not request.trust:
            raise _unverified(archive)
        generation = read_archive(copy, archive, staging)
    if saved.generation and generation.id != saved.generation:
        raise InstallError(
            f"refused: {archive} contains the packages {generation.id}, but the lock file names {saved.generation}",
            hint="The lock file and the archive come from different saves. Save both again with `tierproof save`.",
        )
    note_digest(digest)
    return generation


def _refuse_unvouched(request: RecoverRequest, saved: SavedLock, lock_file: Path) -> None:
    """Refuse to fetch what a lock names that anyone may have written: it says from where, and with which hash."""
    if request.lock is None and not request.trust and saved.digest not in read_noted_digests():
        raise _unverified(lock_file)


def _unverified(file: Path) -> InstallError:
    return InstallError(
        f"refused: {file} cannot be verified, because it was not made on this machine, and you have not trusted it "
        "here before",
        hint="Someone else may have changed this file. Run `tierproof recover` with `--lock FILE`, your own copy of "
        "the lock file, or with `--trust` to accept the file unverified.",
    )


def _install_exactly(
    request: RecoverRequest, saved: SavedLock, folder: Path, store: GenerationStore, staging: Path
) -> Generation:
    base = capture_other_base(store)
    names = [name for name in saved.entries if name not in base.by_name or name in saved.shadows]
    if not names:
        raise UsageError(
            "nothing was added: every package that the lock file lists is already installed in this environment",
            hint="Nothing has to be recovered; `pip list` shows the installed versions.",
        )
    request.on_step(f"fetching {len(names)} packages")
    lock = read_lock(format_pylock(saved.entries[name] for name in names), folder)
    packages = stage_packages(
        lock,
        names,
        staging,
        settings=read_index_settings(),
        interpreter=base.executable,
        limit_s=request.limit_s,
    )
    contents = GenerationContents(tuple(names), (), lock, None, saved.requests, saved.shadows, saved.waived)
    generation = contents.describe(packages, tried=False)
    write_generation(staging, generation)
    return generation


def _admit(store: GenerationStore, staging: Path, generation: Generation) -> Generation:
    base = capture_other_base(store)
    _refuse_unfit(staging, generation, base)
    refuse_names(generation.inventory.packages)
    roots = list(dict.fromkeys(str(item.root) for item in base.installed))
    yielding = list_yielding(
        (str(item.root), [entry.path for entry in read_record(item.metadata_path)])
        for item in base.installed
        if item.name in generation.shadows
    )
    refuse_collisions(generation.inventory.packages, roots, yielding)
    store.admit(staging, generation.id)
    return store.read(generation.id)


def _refuse_unfit(folder: Path, generation: Generation, base: Base) -> None:
    """Refuse packages that need what the base has not, or that it has meanwhile itself."""
    twice = [name for name in generation.versions if name in base.by_name and name not in generation.shadows]
    if twice:
        raise InstallError(
            f"the saved packages cannot be restored: they contain {twice[0]} {generation.versions[twice[0]]}, but this "
            f"environment has {twice[0]} {base.version(twice[0])} of its own, and one package cannot be there twice",
            hint="Nothing was changed. Install what you asked for again, in versions that fit: tierproof install "
            + shlex.join(request.text for request in generation.requests),
        )
    unmet = find_unmet_bounds(folder / "site", base, generation.waived)
    if unmet:
        raise InstallError(
            f"the saved packages do not fit the packages installed here: {describe_conflicts(unmet[:3], base)}",
            hint="Nothing was changed. Install the packages again: `tierproof install` chooses versions that fit.",
        )
