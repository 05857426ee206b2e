"""The verdict: a pure function of the results."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from tierproof.core.check_result import CheckResult, Outcome


class Verdict(StrEnum):
    """What the results say together, and the exit code that goes with it."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        """0 = passed, 1 = failed, 2 = could not be checked."""
        return {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.INCONCLUSIVE: 2}[self]


# Without these nothing is known of a model: its sizes, its gradients, its answers, its weights.
_CORE = frozenset({"T1-SHAPE", "T1-GRAD", "T1-STAB", "T1-INIT"})


def judge(results: Sequence[CheckResult]) -> Verdict:
    """Judge: any error fails; else it passes if something ran and nothing that counts was left open.

    A check that crashed leaves the verdict open, and so does one of the core that the time budget cut off.
    """
    if any(result.errors for result in results):
        return Verdict.FAIL
    if any(result.outcome is Outcome.ERRORED for result in results):
        return Verdict.INCONCLUSIVE
    if any(result.out_of_time and result.code in _CORE for result in results):
        return Verdict.INCONCLUSIVE
    if not any(result.outcome is Outcome.PASSED for result in results):
        return Verdict.INCONCLUSIVE
    return Verdict.PASS
