"""The error of a plan that may not be carried out."""

from __future__ import annotations

from tierproof.errors import TierproofError
from tierproof.guard.judge.plan import Plan


class PlanRefused(TierproofError):  # noqa: N818 - a public name
    """An install needs a consent that was not given, or is impossible. `plan` is the plan."""

    slug = "plan-refused"

    def __init__(self, message: str, *, plan: Plan, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.plan = plan
        self.exit_code = plan.exit_code  # 2 where it was not worked out
