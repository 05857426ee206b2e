"""Give an analysis a number of seconds, after which it keeps what it has."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

from tierproof.core.time_limit import limit_time
from tierproof.errors import UsageError


def spend_budget(budget_s: float | None) -> AbstractContextManager[None]:
    """A context manager in which no call of the model begins after `budget_s` seconds; no limit for None.

    Raises:
        UsageError: the budget is not positive.
    """
    if budget_s is not None and not budget_s > 0:
        raise UsageError(
            f"the budget must be longer than 0 seconds, not {budget_s}",
            hint="Pass a positive `budget_s`, or leave it out for no time limit.",
        )
    return limit_time(None if budget_s is None else time.monotonic() + budget_s)
