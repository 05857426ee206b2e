"""Finishes or undoes a heal whose process was killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tierproof.errors import OutputError
from tierproof.guard.mend.heal_journal import (
    HealJournal,
    drop_journal,
    find_heal_folders,
    is_alive,
    is_own,
    is_owner_alive,
    read_journal,
    write_journal,
)
from tierproof.guard.mend.swap import (
    ForeignChangeError,
    advance,
    is_in_place,
    is_untouched,
    keep_unowned,
    retreat,
    swap,
)
from tierproof.guard.system.environment_folder import find_folder_of_site
from tierproof.guard.system.environment_lock import EnvironmentBusyError, lock_environment


def settle_heals(roots: Iterable[Path]) -> tuple[str, ...]:
    """Finish or undo every interrupted heal, so that each package is in its old or its new state.

    A heal is finished if its process still runs or only tidying up is left; otherwise it is undone. A package that
    has been changed since is left alone. The caller holds the environment's lock, so no heal is running. This
    function can itself be killed and called again.

    Args:
        roots: site directories.

    Returns:
        One sentence for each heal that was finished, undone or dropped.
    """
    told = []
    for root in roots:
        for folder in find_heal_folders(root):
            # One of a live process is at work under another lock (of a user with another data folder). One of
            # this process is not: the lock is held, so what it left could not be undone at once.
            if is_owner_alive(folder) and not is_own(folder):
                continue
            package = folder.name
            try:
                journal = read_journal(folder)
                if journal is not None:
                    package = journal.package
                    told.append(_settle(root, folder, journal))
                remove_heal_folder(folder)
            except (OSError, OutputError) as error:
                told.append(f"cannot finish or undo the interrupted heal of {package}: {error}")
    return tuple(told)


def settle_if_idle(roots: Iterable[Path]) -> tuple[str, ...]:
    """Settle interrupted heals in `roots`, unless another process is changing that environment; never wait."""
    told: list[str] = []
    for root in roots:
        if find_heal_folders(root):
            try:
                with lock_environment(find_folder_of_site(root), limit_s=0):
                    told += settle_heals([root])
            except (EnvironmentBusyError, OutputError):
                continue
    return tuple(told)


def exchange(root: Path, folder: Path, journal: HealJournal) -> str:
    """Put what is staged in `folder` in the place of what `root` holds: wholly, or not at all.

    Returns:
        a sentence if it is in place, and files that belong to no package could not be brought back yet.

    Raises:
        OSError: a rename failed; `root` is unchanged, or is settled by the next call.
        ForeignChangeError: another process changed the same files; `root` as for `OSError`.
    """
    write_journal(folder, journal)
    try:
        swap(root, folder / "stage", folder / "aside", journal.units)
    except BaseException:
        if is_untouched(root, journal.units):
            drop_journal(folder)
        raise
    try:
        _tidy(root, folder, journal)
        drop_journal(folder)
    except (OSError, OutputError) as error:
        return (
            f"{journal.package} is healed, but {folder} could not be tidied up: {error}. The next `tierproof doctor` "
            "removes it."
        )
    return ""


def remove_heal_folder(folder: Path) -> None:
    """Remove the folder of a heal that is done or undone; what resists is removed by a later call."""
    drop_journal(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _tidy(root: Path, folder: Path, journal: HealJournal) -> None:
    # From here on nothing is to be moved any more, whatever is installed afterwards.
    write_journal(folder, replace(journal, units=()))
    keep_unowned(folder / "aside", root, set(journal.owned))


def _settle(root: Path, folder: Path, journal: HealJournal) -> str:
    name = journal.package
    try:
        if is_in_place(root, journal.units) or is_alive(journal.pid, journal.start_ticks):
            advance(root, folder / "stage", folder / "aside", journal.units)
            _tidy(root, folder, journal)
            return f"an interrupted heal of {name} was finished: {journal.version} is on disk"
        retreat(root, folder / "stage", folder / "aside", journal.units)
    except ForeignChangeError:
        keep_unowned(folder / "aside", root, set(journal.owned))
        return f"an interrupted heal of {name} was given up, because another version has been installed since"
    held = f"{journal.replaced_version} is on disk" if journal.replaced_version else "it is not on disk"
    return f"an interrupted heal of {name} was undone: {held}"
