"""`tierproof.doctor`: is the calling process torn."""

from __future__ import annotations

from tierproof.guard.mend.diagnosis import Diagnosis
from tierproof.guard.mend.doctor import diagnose_this_process


def doctor() -> Diagnosis:
    """Tell whether the calling process runs other packages than the disk holds, by what, and what mends it.

    Nothing is imported or changed, and it works while numpy or torch is broken. The first call in an
    environment notes what it looks like in the user's data folder; what is amiss then is nobody's tear.
    """
    return diagnose_this_process()
