"""`tierproof.uninstall`: take added packages away."""

from __future__ import annotations

from tierproof.guard.operations.receipt import Receipt
from tierproof.guard.operations.uninstall import uninstall_packages


def uninstall(*names: str) -> Receipt:
    """Take packages away that tierproof added, and what was added only because of them.

    Where the calling process has loaded one of them, it goes on with what it has until a restart.

    Raises:
        UsageError: one was not added by tierproof, or another added package needs it.
        InstallError: it could not be carried out; what was there is there still.
    """
    return uninstall_packages(names, in_process=True)
