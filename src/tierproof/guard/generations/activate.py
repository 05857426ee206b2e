"""Make a generation the present one: the path file, the calling process, console scripts, the history."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tierproof.core.atomic_write import write_text_atomically
from tierproof.core.credentials import hide_credentials
from tierproof.guard.generations.activation_history import (
    FOUND,
    forget_activation,
    read_history,
    record_activation,
)
from tierproof.guard.generations.generation import Generation, Position
from tierproof.guard.generations.generation_path_file import (
    PathFiles,
    choose_path_file,
    find_path_files,
    read_present,
    remove_path_files,
    write_path_file,
)
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.generation_users import find_loaded_added
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.generations.launchers import Launchers, sync_launchers
from tierproof.guard.generations.live_path import ChildPath, LiveEntry
from tierproof.guard.generations.saved_lock import format_saved_lock
from tierproof.guard.judge.ways import CALL_IN_KERNEL
from tierproof.guard.system.environment_folder import note_environment
from tierproof.guard.system.hold_signals import hold_signals
from tierproof.guard.system.search_path import read_search_path


@dataclass(frozen=True, slots=True)
class Activated:
    """The result of an activation.

    Attributes:
        session_only: it is visible in the calling process only.
        restart_needed: the calling process keeps its generation until it is restarted.
        launchers: console scripts.
        notes: sentences worth reading.
    """

    session_only: bool = False
    restart_needed: bool = False
    launchers: Launchers = field(default_factory=Launchers)
    notes: tuple[str, ...] = ()


def activate(
    store: GenerationStore,
    generation: Generation | None,
    action: str,
    *,
    requested: Sequence[str] = (),
    in_process: bool,
    child_path: ChildPath | None = None,
) -> Activated:
    """Make `generation` the present one; None removes every addition. The caller holds the environment lock.

    Args:
        store: of this environment.
        generation: whole, and in the store.
        action: for the history.
        requested: for the history, as typed.
        in_process: make it visible in the calling process at once.
        child_path: of a fresh process, where it is being read already.

    Raises:
        InstallError: it cannot be written; the existing installation is unchanged.
        KeyboardInterrupt: in a kernel, one that came during the switch, after which it is done.
    """
    with contextlib.ExitStack() as stack:
        if in_process and child_path is None:
            child_path = stack.enter_context(ChildPath())  # it starts while the rest is got ready
        change, file = _prepare(store, generation, action, requested, child_path if in_process else None)
        stack.enter_context(hold_signals(then_act=in_process))
        return _carry_out(change, file)


def show_in_process(store: GenerationStore, generation: Generation, child_path: ChildPath) -> Activated:
    """Let the calling process see the present generation, which another process may have activated.

    Args:
        store: of this environment.
        generation: the present one.
        child_path: of a fresh process.
    """
    if generation.id in list_live_sites(store):
        return Activated()
    if not may_swap(store, generation):
        return Activated(
            restart_needed=True,
            notes=(
                "This process has loaded other versions of the added packages: restart it to use those on disk.",
            ),
        )
    notes = LiveEntry(store, store.site(generation.id), generation.position, child_path).swap()
    return Activated(
        notes=("Another process had added the packages. This process can import them now.", *notes)
    )


def _prepare(
    store: GenerationStore,
    generation: Generation | None,
    action: str,
    requested: Sequence[str],
    child_path: ChildPath | None,
) -> tuple[_Change, Path | None]:
    settle_history(store)
    files = find_path_files()
    site = None if generation is None else store.site(generation.id)
    position = Position.BEHIND if generation is None else generation.position
    file = None if site is None else choose_path_file(position, files)
    session_only = site is not None and file is None
    if session_only and child_path is None:
        raise InstallError(
            f"cannot {action} other versions of installed packages: they need a user site-packages folder, and this "
            "interpreter has none",
            hint=f"Nothing was changed. {CALL_IN_KERNEL}.",
        )
    restart_needed = child_path is not None and not may_swap(store, generation)
    if generation is not None:
        _keep_lock(store, generation)
    live = None
    if child_path is not None and not restart_needed:
        live = LiveEntry(store, site, position, None if session_only else child_path)
    return _Change(store, generation, action, requested, files, live, restart_needed), file


@dataclass(frozen=True, slots=True)
class _Change:
    """An activation of which everything is known that can be known beforehand.

    Attributes:
        files: the path files that there may be.
        live: of the calling process; None where it keeps its generation.
    """

    store: GenerationStore
    generation: Generation | None
    action: str
    requested: Sequence[str]
    files: PathFiles
    live: LiveEntry | None
    restart_needed: bool


def _carry_out(change: _Change, file: Path | None) -> Activated:
    """Record, switch, and bring the rest after it; `file` is the path file, None for this process alone.

    What can fail comes first: once the path file is replaced, nothing does.
    """
    store, generation = change.store, change.generation
    site = None if generation is None else store.site(generation.id)
    session_only = site is not None and file is None
    entry = record_activation(
        store,
        "" if generation is None else generation.id,
        change.action,
        requested=[hide_credentials(text) for text in change.requested],
        packages=[] if generation is None else [f"{n} {v}" for n, v in sorted(generation.versions.items())],
        session_only=session_only,
    )
    try:
        _switch(store, change.files, file, site)
    except BaseException:
        forget_activation(store, entry)
        raise
    notes: list[str] = []
    if change.live is not None:
        notes += change.live.swap()
    launchers = Launchers() if session_only else sync_launchers(store, generation)
    notes += launchers.notes
    if session_only:
        notes.append(
            "This interpreter has no user site-packages, so only this process uses the added versions of installed "
            "packages, and only until it ends."
        )
    return Activated(session_only, change.restart_needed, launchers, tuple(notes))


def _switch(store: GenerationStore, files: PathFiles, file: Path | None, site: Path | None) -> None:
    """Do the one step that counts for new processes; without `file` only the calling process changes."""
    if site is None:
        remove_path_files(store, files)
    elif file is not None:
        note_environment(store.folder, file)
        write_path_file(store, file, site, files)


def _keep_lock(store: GenerationStore, generation: Generation) -> None:
    """Keep what the generation can be installed from again, beside it: it may be damaged or removed."""
    file = store.lock_file(generation.id)
    if not file.exists():
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InstallError(
                f"cannot create {file.parent}: {error.strerror or error}",
                hint="Nothing was changed. Make the folder above it writable, or free some space.",
            ) from error
        write_text_atomically(file, format_saved_lock(generation, ""))


def may_swap(store: GenerationStore, generation: Generation | None) -> bool:
    """Tell whether the calling process may change over: all that it has loaded stays at its version."""
    versions = {} if generation is None else generation.versions
    return all(versions.get(name) == version for name, version in find_loaded_added(store).items())


def settle_history(store: GenerationStore) -> None:
    """Record an activation that was killed before it could be recorded; the path file is the truth."""
    present = read_present(store)
    lasting = [entry for entry in read_history(store) if not entry.session_only]
    last = lasting[-1].generation if lasting else ""
    identifier = "" if present is None else present.id
    if identifier != last:
        packages: list[str] = []
        if identifier and (store.path(identifier) / "generation.json").is_file():
            packages = [f"{n} {v}" for n, v in sorted(store.read(identifier).versions.items())]
        record_activation(store, identifier, FOUND, packages=packages)


def list_live_sites(store: GenerationStore) -> tuple[str, ...]:
    """Return the ids of the generations on the calling process's `sys.path`."""
    return tuple(each for entry in read_search_path() if (each := store.find_by_site(entry)) is not None)
