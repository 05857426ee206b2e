"""`tierproof.rollback`: go back to an earlier generation."""

from __future__ import annotations

from tierproof.guard.operations.receipt import Receipt
from tierproof.guard.operations.rollback import roll_back


def rollback(number: int | None = None) -> Receipt:
    """Go back to entry `number` of the history, or to the one before the present.

    Where the calling process has loaded what the earlier one holds in another version, it goes on with what it
    has until a restart (`restart_needed`).

    Raises:
        UsageError: there is no such entry.
        InstallError: that generation is gone or damaged, or no longer fits what is installed.
    """
    return roll_back(number, in_process=True)
