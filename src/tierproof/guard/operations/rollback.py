"""Rollback: returns to an earlier generation."""

from __future__ import annotations

from tierproof.errors import UsageError
from tierproof.guard.capture.base import Base, capture_base
from tierproof.guard.generations.activate import activate
from tierproof.guard.generations.activation_history import Activation, is_beginning_lost, read_history
from tierproof.guard.generations.generation import Generation
from tierproof.guard.generations.generation_path_file import read_present
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.install_error import InstallError
from tierproof.guard.judge.conflict import describe_conflicts
from tierproof.guard.judge.plan import AddedPackage
from tierproof.guard.judge.unmet_bounds import find_unmet_bounds
from tierproof.guard.operations.change_environment import change_environment
from tierproof.guard.operations.receipt import Receipt
from tierproof.guard.system.environment_folder import find_environment_folder
from tierproof.guard.system.search_path import read_search_path
from tierproof.guard.system.stopwatch import Stopwatch


def roll_back(number: int | None = None, *, in_process: bool) -> Receipt:
    """Return to an entry of the history, or to the one before the present.

    A process that has loaded a package in another version than the earlier generation has keeps its packages until
    it is restarted; new processes see the earlier generation.

    Args:
        number: of the entry; None for the last that differs from the present.
        in_process: make it visible in the calling process at once, if that is safe.

    Raises:
        UsageError: the history has no such entry.
        InstallError: that generation is missing, damaged, or no longer fits the installed packages.
    """
    watch = Stopwatch()
    store = GenerationStore(find_environment_folder())
    with change_environment(store):
        present = read_present(store)
        before = "" if present is None else present.id
        old = _read_versions(store, before)
        entry = _choose(read_history(store), number, before, is_present_readable=bool(old))
        target = _read_whole(store, entry) if entry.generation else None
        if target is not None:
            refuse_unmet(store, target, capture_other_base(store))
        activated = activate(store, target, "rollback", requested=entry.requested, in_process=in_process)
    new = {} if target is None else target.versions
    return Receipt(
        "rollback",
        "" if target is None else target.id,
        before,
        added=tuple(AddedPackage(name, new[name]) for name in sorted(new) if old.get(name) != new[name]),
        removed=tuple(sorted(set(old) - set(new))),
        path_entry="" if target is None else str(store.site(target.id)),
        session_only=activated.session_only,
        restart_needed=activated.restart_needed,
        in_process=in_process,
        launchers=activated.launchers,
        notes=activated.notes,
        parts_s=watch.parts_s,
        duration_s=watch.total_s(),
    )


def _read_versions(store: GenerationStore, identifier: str) -> dict[str, str]:
    """Return the versions of a generation; none if it is damaged, which is no reason to stay with it."""
    try:
        return store.read(identifier).versions if identifier else {}
    except InstallError:
        return {}


def capture_other_base(store: GenerationStore) -> Base:
    """Capture what is installed without any generation."""
    return capture_base(paths=[entry for entry in read_search_path() if store.find_by_site(entry) is None])


def refuse_unmet(store: GenerationStore, generation: Generation, base: Base) -> None:
    """Refuse a generation that no longer fits the installed packages.

    Raises:
        InstallError: a requirement of its packages is not met by the base.
    """
    unmet = find_unmet_bounds(store.site(generation.id), base, generation.waived)
    if unmet:
        raise InstallError(
            "the earlier packages no longer fit the packages that are installed now: "
            f"{describe_conflicts(unmet[:3], base)}",
            hint="Nothing was changed. Install the packages again: `tierproof install` chooses versions that fit.",
        )


def _choose(
    history: tuple[Activation, ...], number: int | None, present: str, *, is_present_readable: bool
) -> Activation:
    if number is not None:
        entry = next((entry for entry in history if entry.number == number), None)
        if entry is None:
            raise UsageError(
                f"the history has no entry {number}", hint="List the entries with `tierproof history`."
            )
        return entry
    lasting = [entry for entry in history if not entry.session_only]
    earlier = [entry for entry in lasting if entry.generation != present]
    if not lasting:
        raise UsageError(
            "tierproof has never added packages to this environment",
            hint="Add packages with `tierproof install`.",
        )
    # Packages that are gone themselves are no loss.
    if not earlier and is_beginning_lost(history) and is_present_readable:
        raise UsageError(
            "the history of this environment was deleted, so the packages before the present ones are not known",
            hint="Add or remove packages with `tierproof install` and `tierproof uninstall`.",
        )
    # Before the first install there was nothing, which is a state to go back to as well.
    return earlier[-1] if earlier else Activation(0, "", "rollback")


def _read_whole(store: GenerationStore, entry: Activation) -> Generation:
    if not store.is_whole(entry.generation):
        state = "damaged" if store.path(entry.generation).is_dir() else "removed"
        lock = store.lock_file(entry.generation)
        again = "tierproof install " + " ".join(package.replace(" ", "==") for package in entry.packages)
        raise InstallError(
            f"the packages of history entry {entry.number} ({entry.generation}) are {state}",
            hint="Nothing was changed. Install exactly these packages again:  tierproof recover --lock "
            f"{lock}"
            if lock.is_file()
            else "Nothing was changed. The lock file with their exact files was deleted. Install these packages "
            f"again:  {again}",
        )
    return store.read(entry.generation)
