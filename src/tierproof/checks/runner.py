"""Run the selected checks on a subject, each from the model's original state."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tierproof.checks.check import Check, CheckContext, CheckOutput, Deadline
from tierproof.checks.examples import Examples
from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding, Severity
from tierproof.model.call.stray_dropout import without_stray_dropout
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.training_step import seed_everything
from tierproof.model.preserve.preserve import Snapshot

Progress = Callable[[int, int, str], None]


def run_checks(
    subject: Subject,
    checks: Sequence[Check],
    snapshot: Snapshot,
    *,
    seed: int = 0,
    deadline: Deadline | None = None,
    progress: Progress | None = None,
    dropped: Mapping[str, str] | None = None,
    examples: Examples | None = None,
) -> tuple[CheckResult, ...]:
    """Run the checks in order and give one result each.

    A check that crashes is `errored` with the exception in its reason; one that no time is left for is
    `skipped`. After each, the model is put back as `snapshot` has it. Ctrl-C passes through.

    Args:
        progress: called with (checks done, checks in all, name of the next one; empty at the end).
        dropped: by code, why a check is not run (see `plan_checks`).
        examples: the user's own data, for checks that analyse it.
    """
    deadline = deadline or Deadline()
    dropped = dropped or {}
    context = CheckContext(subject, seed, deadline, examples)
    results = []
    for index, check in enumerate(checks):
        if progress is not None:
            progress(index, len(checks), check.name)
        if check.code in dropped:
            results.append(_skip(check, dropped[check.code]))
            continue
        if deadline.expired and index > 0:
            results.append(_skip(check, "the time budget was used up; give a larger --budget"))
            continue
        try:
            results.append(_run_one(check, context))
        finally:
            snapshot.restore(full=False)
    if progress is not None:
        progress(len(checks), len(checks), "")
    return tuple(results)


def _run_one(check: Check, context: CheckContext) -> CheckResult:
    seed_everything(context.seed)
    started = time.perf_counter()
    try:
        with without_stray_dropout(context.subject.stray_dropout):
            output = _look(check, context)
    except Exception as error:  # noqa: BLE001 - reported as an errored check, never as a pass
        reason = f"the check crashed: {type(error).__name__}: {error}"[:2000]
        return CheckResult(
            check.code,
            check.name,
            check.tier,
            Outcome.ERRORED,
            reason=f"{reason} ({_locate(error)})",
            duration_s=time.perf_counter() - started,
        )
    return _conclude(check, output, time.perf_counter() - started)


def _look(check: Check, context: CheckContext) -> CheckOutput:
    subject = context.subject
    if not check.as_written or not subject.hidden:
        return check.run(context)
    with subject.hidden.as_written():
        # The copy has passes of its own: what the registered layers answered is not what these do.
        return check.run(replace(context, subject=replace(subject)))


def _conclude(check: Check, output: CheckOutput, duration_s: float) -> CheckResult:
    order = list(Severity)
    findings: tuple[Finding, ...] = tuple(
        sorted(output.findings, key=lambda finding: order.index(finding.severity))
    )
    if any(finding.severity is Severity.ERROR for finding in findings):
        outcome = Outcome.FAILED
    elif output.skipped:
        outcome = Outcome.SKIPPED
    else:
        outcome = Outcome.PASSED
    return CheckResult(
        check.code,
        check.name,
        check.tier,
        outcome,
        reason=output.skipped,
        duration_s=duration_s,
        measurements=output.document,
        findings=findings,
        artifacts=output.artifacts,
    )


def _skip(check: Check, reason: str) -> CheckResult:
    return CheckResult(check.code, check.name, check.tier, Outcome.SKIPPED, reason=reason)


def _locate(error: BaseException) -> str:
    """File and line where the exception was raised, for a bug report."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "unknown place"
    return f"{traceback.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{traceback.tb_lineno}"
