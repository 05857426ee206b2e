"""Heals every torn process of this environment."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

from tierproof.guard.mend.doctor import diagnose_environment
from tierproof.guard.mend.heal import heal_process
from tierproof.guard.mend.heal_result import FailedHeal, HealedPackage, Healing
from tierproof.guard.mend.torn import Remedy
from tierproof.guard.system.process import ProcessError


def heal_environment() -> Healing:
    """Heal each torn Python process of this user in this environment, one after the other.

    If two processes have loaded different versions of a package, only one of them can be healed. Packages that are
    damaged on disk but loaded by no process are not reinstalled: the diagnosis names the command.

    Raises:
        EnvironmentBusyError: another process has been changing this environment for too long.
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
