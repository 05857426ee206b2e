"""`tierproof.recover`: put back what was added."""

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
    """Put back what was added, usable at once.

    Args:
        folder: what `save` wrote to; None for what this environment knows itself.
        lock: a copy of the lock that you trust; it vouches for the archive in `folder`.
        trust: take the archive though nothing vouches for it.
        on_step: told what is being done; by default it is shown in a terminal or a notebook.

    Raises:
        UsageError: there is nothing to recover from.
        InstallError: an archive that nobody vouches for, a damaged or hostile one, or packages that do not fit
            what is installed now.
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
