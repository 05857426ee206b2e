"""Bring an environment to rest before it is changed: what killed installs and heals left in part."""

from __future__ import annotations

from tierproof.guard.generations.activate import settle_history
from tierproof.guard.generations.activation import clear_strays, find_path_files
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.generations.launchers import list_script_folders
from tierproof.guard.mend.settle import settle_heals


def settle_environment(store: GenerationStore) -> tuple[str, ...]:
    """Remove strays, record an activation that was killed before that, and finish or undo dead heals.

    Call it with the environment locked.

    Returns:
        one sentence for each heal that was brought to an end.
    """
    store.clear_staging()
    sites = [file.parent for _, file in find_path_files().legible]
    clear_strays([*sites, *list_script_folders()])
    settle_history(store)
    return settle_heals(folder for folder in sites if folder.is_dir())
