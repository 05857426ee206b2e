"""T3-SCHED, learning-rate schedule: it steps after the optimizer, once for each update, and gets where it leads.

What it does: records each step of the schedulers beside the optimizers' steps, and plays the schedule ahead.

Why it matters: stepped first, the first rate is skipped; stepped for each micro-batch, a schedule ends early; a warm-up
that is stepped once an epoch keeps the rate near zero for the whole training.

Evidence: the order of the calls, how many schedule steps there are for each update, the rates that would follow.

Exemptions: a scheduler that is not PyTorch's may set the rate before the update. A schedule that never steps here may
be stepped once an epoch, outside of the step; only a warm-up of many steps is named.

Findings:
    T3-SCHED-001 error: the scheduler steps before the optimizer.
    T3-SCHED-002 error: the scheduler steps more than once for each update.
    T3-SCHED-003 warning: the scheduler never steps, and its warm-up needs many steps.
    T3-SCHED-004 warning: the scheduler was made for an optimizer that is not used.

Source: torch.optim.lr_scheduler, "How to adjust learning rate"; Vaswani et al. 2017 on warm-up.
"""

from __future__ import annotations

from collections.abc import Iterator

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.step_event import EventKind
from tierproof.training.audit.rules.rule import Rule, RuleOutput, report_finding
from tierproof.training.audit.rules.update_window import list_windows
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-SCHED"
# A warm-up of fewer steps may be counted in epochs.
_LEAST_WARM_UP = 25


def judge_scheduling(evidence: AuditEvidence) -> RuleOutput:
    """Judge when schedulers step; see the module's docstring."""
    if not evidence.schedulers:
        return RuleOutput(skipped="the step has no learning-rate scheduler")
    windows = list_windows(evidence)
    findings: list[Finding] = []
    for index in range(len(evidence.schedulers)):
        findings += _find_early(evidence, index)
        findings += _find_too_often(evidence, index)
        findings += _find_never(evidence, index)
        findings += _find_unused(evidence, index)
    steps = sum(len(window.list_events(EventKind.SCHEDULE)) for window in windows)
    return RuleOutput(tuple(findings), {"updates": len(windows), "schedule_steps": steps})


def _find_early(evidence: AuditEvidence, index: int) -> Iterator[Finding]:
    if not evidence.schedulers[index].rates:
        return
    lines = []
    for record in evidence.plain:
        updates = record.list_events(EventKind.UPDATE)
        mine = [each for each in record.list_events(EventKind.SCHEDULE) if each.part == index]
        if not updates or not mine:
            continue
        if any(each.order > updates[0].order for each in mine):
            return
        lines.append(mine[0].line)
    if lines:
        yield report_finding(
            f"{CODE}-001",
            Severity.ERROR,
            f"{evidence.schedulers[index].class_name} steps before the optimizer: the first rate of the schedule is "
            "never used, and every later one comes a step early.",
            line=lines[0],
            hint="Call scheduler.step() after optimizer.step().",
        )


def _find_too_often(evidence: AuditEvidence, index: int) -> Iterator[Finding]:
    counts, line = [], None
    for window in list_windows(evidence):
        mine = [each.event for each in window.list_events(EventKind.SCHEDULE) if each.event.part == index]
        optimizers = max(1, len({each.optimizer for each in window.updates}))
        counts.append(len(mine) / max(1, len(window.updates) // optimizers))
        line = line or (mine[0].line if mine else None)
    whole = (
        counts[1:] if len(counts) > 2 else counts
    )  # the first update may end an accumulation that was begun before
    if whole and min(whole) > 1:
        yield report_finding(
            f"{CODE}-002",
            Severity.ERROR,
            f"{evidence.schedulers[index].class_name} steps {whole[0]:g} times for each update: the schedule ends "
            f"after 1/{whole[0]:g} of the training.",
            line=line,
            evidence={"schedule_steps_per_update": whole[0]},
            hint="Step the scheduler once for each optimizer.step(), not for each micro-batch.",
        )


def _find_never(evidence: AuditEvidence, index: int) -> Iterator[Finding]:
    scheduler = evidence.schedulers[index]
    windows = list_windows(evidence)
    stepped = any(
        each.event.part == index for window in windows for each in window.list_events(EventKind.SCHEDULE)
    )
    if stepped or len(windows) < 3 or len(scheduler.rates) < 2:
        return
    peak = max(scheduler.rates)
    at = next(i for i, rate in enumerate(scheduler.rates) if rate >= 0.99 * peak)
    if at >= _LEAST_WARM_UP and scheduler.rates[0] < 0.5 * peak:
        yield report_finding(
            f"{CODE}-003",
            Severity.WARNING,
            f"{scheduler.class_name} does not step in {len(windows)} updates. The learning rate stays at "
            f"{scheduler.rates[0]:.3g}; the warm-up reaches {peak:.3g} after {at} steps of the scheduler.",
            evidence={"rate": scheduler.rates[0], "peak_rate": peak, "steps_to_peak": at},
            hint="Step the scheduler after each update; a warm-up that is stepped once an epoch is hardly left.",
        )


def _find_unused(evidence: AuditEvidence, index: int) -> Iterator[Finding]:
    scheduler = evidence.schedulers[index]
    if scheduler.of_unused:
        yield report_finding(
            f"{CODE}-004",
            Severity.WARNING,
            f"{scheduler.class_name} sets the learning rate of an optimizer that holds the model's parameters and is "
            "not the one that steps: its rates have no effect.",
            line=evidence.plain[0].find_line(EventKind.SCHEDULE),
            hint="Make the scheduler from the optimizer that steps.",
        )


RULE = Rule(CODE, "learning-rate schedule", judge_scheduling)
