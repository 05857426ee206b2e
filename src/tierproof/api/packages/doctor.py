"""`tierproof.doctor`: check whether the calling process is torn."""

from __future__ import annotations

from tierproof.guard.mend.diagnosis import Diagnosis
from tierproof.guard.mend.doctor import diagnose_this_process


def doctor() -> Diagnosis:
    """Check whether the calling process runs other package versions than those on disk, and say what repairs it.

    Nothing is imported or changed, and it works while numpy or torch is broken. The first call in an
    environment records its state in the user's data folder; damage that exists by then is not called a tear.
    """
    return diagnose_this_process()
