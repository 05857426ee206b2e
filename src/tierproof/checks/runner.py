"""Run the selected checks on a subject, each from the model's original state."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from tierproof.analysis.examples.given_examples import GivenExamples
from tierproof.checks.check import Check, CheckContext, CheckOutput, Deadline
from tierproof.checks.claim import conclude
from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding, Severity
from tierproof.core.time_limit import TimeIsUp, limit_time
from tierproof.model.call.call import raised_in_a_call
from tierproof.model.call.stray_dropout import without_stray_dropout
from tierproof.model.describe.subject import Subject
from tierproof.model.gradients.backward_error import raised_in_backward
from tierproof.model.gradients.training_step import seed_everything
from tierproof.model.preserve.preserve import ModelRecord
from tierproof.model.sizes.wide_products import widen_products

Progress = Callable[[int, int, str], None]
# The check that judges a backward pass which raises; others then have no gradients to look at.
_JUDGE_OF_BACKWARD = "T1-MODE"


def run_checks(
    subject: Subject,
    checks: Sequence[Check],
    snapshot: ModelRecord,
    *,
    seed: int = 0,
    deadline: Deadline | None = None,
    progress: Progress | None = None,
    dropped: Mapping[str, str] | None = None,
    beyond_budget: Collection[str] = (),
    shortened: Collection[str] = (),
    expected_s: Mapping[str, float] | None = None,
    examples: GivenExamples | None = None,
    finished: list[CheckResult] | None = None,
) -> tuple[CheckResult, ...]:
    """Run the checks in order and give one result each.

    A check that crashes is `errored` with the exception in its reason; one that no time is left for, or that
    the deadline stops between two calls of the model, is `skipped`. After each, the model is put back as
    `snapshot` has it. Ctrl-C passes through.

    Args:
        progress: called with (checks done, checks in all, name of the next one; empty at the end).
        dropped: by code, why a check is not run (see `plan_checks`).
        beyond_budget: those of them that a larger budget would include.
        shortened: those that get less time than they take: they end early enough for those behind them.
        expected_s: by code, the seconds that each is to get.
        finished: gets each result as it is there, so that Ctrl-C loses none.
        examples: the user's own data, for checks that analyse it.
    """
    deadline = deadline or Deadline()
    dropped = dropped or {}
    context = CheckContext(subject, seed, deadline, examples)
    judged = {check.code for check in checks} - set(dropped)
    results = [] if finished is None else finished
    for index, check in enumerate(checks):
        if progress is not None:
            progress(index, len(checks), check.name)
        if check.code in dropped:
            results.append(_skip(check, dropped[check.code], out_of_time=check.code in beyond_budget))
            continue
        if deadline.expired and index > 0:
            results.append(_stop(check))
            continue
        try:
            times_s = [(expected_s or {}).get(each.code, 0.0) for each in checks[index:]]
            own = _leave_time(context, times_s[0], sum(times_s[1:])) if check.code in shortened else context
            results.append(_run_one(check, own, backward_judged=_JUDGE_OF_BACKWARD in judged))
        finally:
            snapshot.restore(full=False)
    if progress is not None:
        progress(len(checks), len(checks), "")
    return tuple(results)


def _leave_time(context: CheckContext, own_s: float, later_s: float) -> CheckContext:
    """The context with an end that leaves the checks behind their time, but not before the check's own has passed.

    What those before it did not use is so given on.
    """
    left_s = max(own_s, context.deadline.remaining_s - later_s)
    if left_s >= context.deadline.remaining_s:
        return context
    return replace(context, deadline=Deadline.after(left_s))


def _run_one(check: Check, context: CheckContext, *, backward_judged: bool) -> CheckResult:
    seed_everything(context.seed)
    started = time.perf_counter()
    try:
        with limit_time(context.deadline.at_s):
            output = _look(check, context)
    except TimeIsUp:
        return _stop(check, time.perf_counter() - started)
    except Exception as error:  # noqa: BLE001 - reported as skipped or errored, never as a pass
        duration_s = time.perf_counter() - started
        if raised_in_a_call(error):
            # The model runs on its own inputs, and refuses what this check asked beyond them.
            reason = f"the model raised on inputs that this check tried: {_explain(error)}"
            return replace(_skip(check, reason), duration_s=duration_s)
        if backward_judged and raised_in_backward(error):
            reason = f"the model's backward pass raised (see {_JUDGE_OF_BACKWARD}): {_explain(error)}"
            return replace(_skip(check, reason), duration_s=duration_s)
        reason = f"the check crashed: {_explain(error)}"
        return CheckResult(
            check.code,
            check.name,
            check.tier,
            Outcome.ERRORED,
            reason=f"{reason} ({_locate(error)})",
            duration_s=duration_s,
        )
    return _conclude(check, output, context.subject, time.perf_counter() - started)


def _look(check: Check, context: CheckContext) -> CheckOutput:
    subject = context.subject
    if not check.native:
        with widen_products(subject.model):
            return _look_as_written(check, context)
    with subject.as_given() as given:
        return _look_as_written(check, replace(context, subject=given))


def _look_as_written(check: Check, context: CheckContext) -> CheckOutput:
    """Run the check on the model as it was written, or with its hidden layers registered."""
    subject = context.subject
    if not check.as_written or not subject.hidden:
        with without_stray_dropout(subject.stray_dropout):
            return check.run(context)
    with subject.hidden.as_written(), without_stray_dropout():
        # The copy has passes of its own: what the registered layers answered is not what these do.
        return check.run(replace(context, subject=replace(subject)))


def _conclude(check: Check, output: CheckOutput, subject: Subject, duration_s: float) -> CheckResult:
    order = list(Severity)
    concluded = [conclude(finding, subject) for finding in output.findings]
    findings: tuple[Finding, ...] = tuple(
        sorted(concluded, key=lambda finding: order.index(finding.severity))
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


def _skip(check: Check, reason: str, *, out_of_time: bool = False) -> CheckResult:
    return CheckResult(
        check.code, check.name, check.tier, Outcome.SKIPPED, reason=reason, out_of_time=out_of_time
    )


def _stop(check: Check, duration_s: float = 0.0) -> CheckResult:
    """What is said of a check for which no time was left, or whose time ended before it did."""
    skipped = _skip(check, "the time budget was used up; pass a larger --budget", out_of_time=True)
    return replace(skipped, duration_s=duration_s)


def _explain(error: Exception) -> str:
    """Its class and message, short enough to read."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a class of the user's, whose message cannot be shown
        message = "its message cannot be shown"
    return f"{type(error).__name__}: {message}"[:2000]


def _locate(error: BaseException) -> str:
    """File and line where the exception was raised, for a bug report."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "unknown place"
    return f"{traceback.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{traceback.tb_lineno}"
