"""`tierproof.recover`: restore what was added."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tierproof.api.show.steps import open_steps
from tierproof.guard.operations.receipt import Receipt
from tierproof.guard.operations.recover import RecoverRequest
from tierproof.guard.operations.recover import recover as recover_generation


def recover(
    folder: str | Path | None = None,
    *,
    lock: str | Path | None = None,
    trust: bool = False,
    on_step: Callable[[str], None] | None = None,
) -> Receipt:
    """Restore the added packages. They can be imported at once.

    Args:
        folder: the folder that `save` wrote to; None uses this environment's own records.
        lock: a copy of the lock that you trust; the archive in `folder` is verified against it.
        trust: accept the archive although nothing verifies it.
        on_step: called with a description of each step; by default the steps are shown in a terminal or notebook.

    Raises:
        UsageError: there is nothing to recover from.
        InstallError: the archive cannot be verified, is damaged or hostile, or its packages do not fit the
            installed ones.
    """
    with open_steps(on_step) as show:
        return recover_generation(
            RecoverRequest(
                None if folder is None else Path(folder),
                None if lock is None else Path(lock),
                trust,
                in_process=True,
                on_step=show,
            )
        )


def recover_for_new_processes(
    folder: Path | None, *, lock: Path | None, trust: bool, on_step: Callable[[str], None]
) -> Receipt:
    """Restore the added packages for processes that start from now on, as `tierproof recover` does.

    Raises:
        TierproofError: as `recover`.
    """
    return recover_generation(RecoverRequest(folder, lock, trust, on_step=on_step))
