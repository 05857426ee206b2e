"""`tierproof.heal`: repair the calling process without a restart."""

from __future__ import annotations

import os

from tierproof.guard.mend.heal import heal_process
from tierproof.guard.mend.heal_result import Healing


def heal() -> Healing:
    """Restore on disk the package versions that the calling process has loaded and an installer has replaced.

    Modules that were imported while the process was torn keep the other version's code; the returned diagnosis
    names them. A package that could not be repaired is listed in `failed`.
    """
    return heal_process(os.getpid())
