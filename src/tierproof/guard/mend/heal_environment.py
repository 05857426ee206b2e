"""Mend every torn process of this environment."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

from tierproof.errors import ProcessError
from tierproof.guard.mend.doctor import diagnose_environment
from tierproof.guard.mend.heal import heal_process
from tierproof.guard.mend.healing import FailedHeal, HealedPackage, Healing
from tierproof.guard.mend.torn import Remedy


def heal_environment() -> Healing:
    """Heal each of this user's live Python processes of this environment that is torn, one after the other.

    Where two of them have different versions of a package loaded, only one can be served: the other is
    refused. What is damaged on disk with nobody torn is not installed anew here: the diagnosis says how.

    Raises:
        EnvironmentBusyError: another process changes this environment for long.
        OutputError: the user's data folder cannot be written.
    """
    began = time.perf_counter()
    before = diagnose_environment()
    healed: list[HealedPackage] = []
    failed: list[FailedHeal] = []
    for pid in dict.fromkeys(each.pid for each in before.torn if each.remedy is Remedy.HEAL):
        with contextlib.suppress(ProcessError):  # it has ended meanwhile, and is torn no more
            healing = heal_process(pid)
            healed += healing.healed
            failed += (replace(each, reason=f"process {pid}: {each.reason}") for each in healing.failed)
    after = diagnose_environment() if healed or failed else before
    return Healing(tuple(healed), tuple(failed), after, time.perf_counter() - began)
