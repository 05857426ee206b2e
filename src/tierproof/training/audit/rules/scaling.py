"""T3-SCALE, loss scaling: what was multiplied by the loss scale is divided by it before the update, once.

What it does: follows a GradScaler's calls in each step: scale, unscale_, step, update.

Why it matters: gradients that still carry the scale make steps tens of thousands of times too large; gradients that are
divided without having been multiplied underflow. A scale that is never updated does not recover from an overflow.

Evidence: the value that backward ran on, the loss that the step returned, and the scale.

Exemptions: a disabled scaler.

Findings:
    T3-SCALE-001 error: the optimizer steps with gradients that still carry the loss scale.
    T3-SCALE-002 error: scaler.update() is never called.
    T3-SCALE-003 error: gradients are divided by a scale that the loss was not multiplied by.
    T3-SCALE-004 warning: a loss is multiplied by a scale by hand, and the gradients are not divided by it.

Source: the PyTorch notes on automatic mixed precision.
"""

from __future__ import annotations

import math

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.step_event import EventKind
from tierproof.training.audit.rules.rule import Rule, RuleOutput, report_finding
from tierproof.training.audit.rules.update_window import UpdateWindow, list_windows
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-SCALE"
# A loss that backward runs on and that is within this factor of the reported one was not scaled.
_UNSCALED = 2.0
# Loss scales are powers of two from here on; smaller factors weigh losses.
_LEAST_SCALE = 256.0


def judge_scaling(evidence: AuditEvidence) -> RuleOutput:
    """Judge the calls of a GradScaler; see the module's docstring."""
    if not evidence.scaler:
        undivided = _find_undivided(list(list_windows(evidence)))
        if undivided is not None:
            return RuleOutput((undivided,))
        reason = "the step has no GradScaler" if evidence.scaler is None else "the GradScaler is disabled"
        return RuleOutput(skipped=reason)
    windows = list(list_windows(evidence))
    findings = [
        each for each in (_find_still_scaled(windows), _find_never_updated(windows)) if each is not None
    ]
    unscaled = _find_never_scaled(windows)
    if unscaled is not None:
        findings.append(unscaled)
    return RuleOutput(tuple(findings), {"updates": len(windows)})


def _is_scaled(window: UpdateWindow) -> bool | None:
    """Whether backward ran on a multiple of the reported loss; None where that cannot be told."""
    reported = window.records[-1].reported
    if reported is None or not window.backwards or not reported:
        return None
    return bool(abs(window.backwards[-1].value) > _UNSCALED * abs(reported) * max(1, len(window.backwards)))


def _find_still_scaled(windows: list[UpdateWindow]) -> Finding | None:
    for window in windows:
        if window.list_events(EventKind.SCALER_STEP, EventKind.UNSCALE) or not _is_scaled(window):
            return None
    if not windows:
        return None
    event = windows[0].list_events(EventKind.UPDATE)[0].event
    return report_finding(
        f"{CODE}-001",
        Severity.ERROR,
        "The optimizer steps with gradients that still carry the loss scale: optimizer.step() is called in place of "
        "scaler.step(optimizer).",
        line=event.line,
        evidence={"backward_value": windows[0].backwards[-1].value},
        hint="Call scaler.step(optimizer), then scaler.update().",
    )


def _find_never_updated(windows: list[UpdateWindow]) -> Finding | None:
    steps = [each.event for window in windows for each in window.list_events(EventKind.SCALER_STEP)]
    updates = [each for window in windows for each in window.list_events(EventKind.SCALER_UPDATE)]
    if len(steps) < 2 or updates:
        return None
    return report_finding(
        f"{CODE}-002",
        Severity.ERROR,
        "scaler.update() is never called: the loss scale stays as it is after an overflow, and scaler.step() skips "
        "every update from then on.",
        line=steps[0].line,
        evidence={"scaler_steps": len(steps)},
        hint="Call scaler.update() after scaler.step(optimizer).",
    )


def _find_never_scaled(windows: list[UpdateWindow]) -> Finding | None:
    steps = [each.event for window in windows for each in window.list_events(EventKind.SCALER_STEP)]
    if not steps or any(event.values["scale"] < 2 * _UNSCALED for event in steps):
        return None
    if any(_is_scaled(window) is not False for window in windows):
        return None
    event = windows[0].list_events(EventKind.BACKWARD)[0].event
    return report_finding(
        f"{CODE}-003",
        Severity.ERROR,
        f"Backward runs on the loss itself, and scaler.step() divides the gradients by {steps[0].values['scale']:g} "
        "all the same.",
        line=event.line,
        evidence={"loss_scale": steps[0].values["scale"], "backward_value": event.values["value"]},
        hint="Call scaler.scale(loss).backward().",
    )


def _find_undivided(windows: list[UpdateWindow]) -> Finding | None:
    """A mean loss that is multiplied by a large power of two by hand, and gradients that reach the optimizer so."""
    factors = set()
    for window in windows:
        reported, losses = window.records[-1].reported, window.list_events(EventKind.LOSS)
        if not reported or len(window.backwards) != 1 or not losses or window.list_events(EventKind.CLIP):
            return None
        if not all(each.event.values["mean"] for each in losses):
            return None
        factor = window.backwards[0].value / reported
        if not factor >= _LEAST_SCALE or abs(math.log2(factor) - round(math.log2(factor))) > 1e-3:
            return None
        made = window.backwards[0].after
        if any(update.gradients[path] != made.get(path) for update in window.updates for path in made):
            return None
        factors.add(round(math.log2(factor)))
    if len(factors) != 1:
        return None
    event = windows[0].list_events(EventKind.BACKWARD)[0].event
    return report_finding(
        f"{CODE}-004",
        Severity.WARNING,
        f"Backward runs on {2 ** factors.pop()} times the mean loss, and the optimizer gets the gradients undivided.",
        line=event.line,
        evidence={"backward_value": event.values["value"]},
        hint="Divide the gradients by the scale before they are clipped and used.",
    )


RULE = Rule(CODE, "loss scaling", judge_scaling)
