"""`tierproof.heal`: mend the calling process without a restart."""

from __future__ import annotations

import os

from tierproof.guard.mend.heal import heal_process
from tierproof.guard.mend.healing import Healing


def heal() -> Healing:
    """Put back on disk what the calling process has loaded and an installer has replaced.

    Modules that were imported while torn keep the other version's code: the diagnosis in what is returned
    names them. A heal that failed is in `failed`, and the process is then not called healthy.
    """
    return heal_process(os.getpid())
