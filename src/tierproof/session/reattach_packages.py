"""Restore added packages: those of this environment, or a lock and archive that were saved elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tierproof.api.packages.history import history
from tierproof.api.packages.recover import recover
from tierproof.errors import TierproofError
from tierproof.guard.generations.generation_path_file import read_present
from tierproof.guard.generations.generation_store import GenerationStore
from tierproof.guard.stage.archive import LOCK_NAME
from tierproof.guard.system.environment_folder import find_environment_folder


def reattach_packages(
    saved: Path | None, lock: str, *, trust: bool, on_step: Callable[[str], None]
) -> tuple[bool, str]:
    """Restore them; return whether that succeeded, and a sentence.

    Args:
        saved: folder with a lock and an archive; None for what this environment knows itself.
        lock: a copy of the lock that is trusted; empty for none.
        trust: accept the archive although nothing verifies it.
        on_step: called with a description of each step.
    """
    store = GenerationStore(find_environment_folder())
    present = read_present(store)
    if present is not None and present.site in sys.path and store.is_whole(present.id):
        versions = store.read(present.id).versions
        return True, "Packages in place: " + ", ".join(
            f"{name} {versions[name]}" for name in sorted(versions)
        )
    entries = history().entries
    try:
        if entries and entries[-1].generation:
            receipt = recover(on_step=on_step)
        elif saved is not None and (saved / LOCK_NAME).is_file():
            receipt = recover(saved, lock=lock or None, trust=trust, on_step=on_step)
        else:
            return True, "No packages were added, so none had to be restored."
    except TierproofError as error:
        return False, f"The packages could not be restored: {error.message.rstrip('.')}. {error.hint}".strip()
    names = ", ".join(f"{item.name} {item.version}" for item in receipt.added)
    return True, f"Packages restored: {names}"
