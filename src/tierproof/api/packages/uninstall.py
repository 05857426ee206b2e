"""`tierproof.uninstall`: remove added packages."""

from __future__ import annotations

from collections.abc import Sequence

from tierproof.guard.operations.receipt import Receipt
from tierproof.guard.operations.uninstall import uninstall_packages


def uninstall(*names: str) -> Receipt:
    """Remove packages that tierproof added, and the packages that were added only because of them.

    If the calling process has loaded one of them, it keeps using it until a restart.

    Raises:
        UsageError: a package was not added by tierproof, or another added package needs it.
        InstallError: the removal failed; the existing installation is unchanged.
    """
    return uninstall_packages(names, in_process=True)


def uninstall_for_new_processes(names: Sequence[str]) -> Receipt:
    """Remove added packages for processes that start from now on, as `tierproof uninstall` does.

    Raises:
        TierproofError: as `uninstall`.
    """
    return uninstall_packages(names, in_process=False)
