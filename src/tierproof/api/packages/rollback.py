"""`tierproof.rollback`: go back to an earlier generation."""

from __future__ import annotations

from tierproof.guard.operations.receipt import Receipt
from tierproof.guard.operations.rollback import roll_back


def rollback(number: int | None = None) -> Receipt:
    """Go back to entry `number` of the history, or to the entry before the present one.

    If the calling process has loaded a package whose version differs in the earlier generation, it keeps
    the loaded version until a restart (`restart_needed`).

    Raises:
        UsageError: there is no such entry.
        InstallError: that generation is missing or damaged, or no longer fits the installed packages.
    """
    return roll_back(number, in_process=True)


def rollback_for_new_processes(number: int | None = None) -> Receipt:
    """Go back for processes that start from now on, as `tierproof rollback` does.

    Raises:
        TierproofError: as `rollback`.
    """
    return roll_back(number, in_process=False)
