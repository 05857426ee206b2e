"""Cleans up after killed installs and heals before an environment is changed."""

from __future__ import annotations

from tierproof.guard.generations.activate import settle_history
from tierproof.guard.generations.generation_path_file import clear_strays, find_path_files
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.launchers import list_script_folders
from tierproof.guard.mend.settle_heals import settle_heals


def settle_environment(store: GenerationStore) -> tuple[str, ...]:
    """Remove leftover files, record an activation that a kill left unrecorded, and finish or undo interrupted heals.

    The caller holds the environment lock.

    Returns:
        one sentence for each heal that was finished, undone or dropped.
    """
    store.clear_staging()
    sites = [file.parent for _, file in find_path_files().legible]
    clear_strays([*sites, *list_script_folders()])
    settle_history(store)
    return settle_heals(folder for folder in sites if folder.is_dir())
