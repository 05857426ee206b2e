"""The error of `Report.raise_if_failed`, and the results in one line."""

from __future__ import annotations

from collections.abc import Sequence

from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding, Severity
from tierproof.errors import TierproofError


class CheckFailedError(TierproofError, AssertionError):
    """A report that had to pass did not; `exit_code` is 1 for an error, and 2 for what could not be judged."""

    slug = "check-failed"


def explain_failure(target: str, results: Sequence[CheckResult]) -> CheckFailedError:
    """The error for results that are no pass: the first error, or else what could not be judged."""
    shown = f"{target}: " if target else ""
    errors = [finding for result in results for finding in result.errors]
    if not errors:
        error = CheckFailedError(
            f"{shown}the model could not be judged: {_explain_open(results)}",
            hint="Print the report to see why.",
        )
        error.exit_code = 2
        return error
    first = min(errors, key=_rank)
    where = f" in `{first.where}`" if first.where else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    error = CheckFailedError(f"{shown}{first.code}{where}: {first.message}{more}", hint=first.hint)
    error.exit_code = 1
    return error


def summarize_results(results: Sequence[CheckResult]) -> str:
    """The counts of what was found and what ran, such as `1 error, 2 warnings, 15 ran, 8 skipped`."""
    severities = [finding.severity for result in results for finding in result.findings]
    parts = [
        _count(severities.count(Severity.ERROR), "error"),
        _count(severities.count(Severity.WARNING), "warning"),
        f"{sum(result.outcome in (Outcome.PASSED, Outcome.FAILED) for result in results)} ran",
    ]
    for outcome in (Outcome.SKIPPED, Outcome.ERRORED):
        number = sum(result.outcome is outcome for result in results)
        parts += [f"{number} {outcome.value}"] if number else []
    return ", ".join(parts)


def _rank(finding: Finding) -> tuple[bool, bool]:
    """Causes before consequences, and what names a module before what concerns the whole model."""
    return finding.follows_from is not None, not finding.where


def _explain_open(results: Sequence[CheckResult]) -> str:
    for wanted in (Outcome.ERRORED, Outcome.SKIPPED):
        for result in results:
            if result.outcome is wanted and (wanted is Outcome.ERRORED or result.out_of_time):
                return f"{result.code}: {result.reason}"
    return "no check ran"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
