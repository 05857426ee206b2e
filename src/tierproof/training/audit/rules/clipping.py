"""T3-CLIP, gradient clipping: it acts on the true gradient, after backward and unscaling and before the update.

What it does: follows the norm of the gradients through each call of `clip_grad_norm_` and `clip_grad_value_` up to the
optimizer's step.

Why it matters: clipped while they carry the loss scale of mixed precision, gradients end tens of thousands of times too
small, and the model hardly moves. Clipped before backward or after the update, nothing is clipped.

Evidence: the norm before clipping, after it, and as the optimizer gets it; the order of the calls.

Exemptions: a disabled scaler leaves the gradients as they are, so that a wrong order gets a warning only.

Findings:
    T3-CLIP-001 error or warning: gradients are clipped before they are unscaled.
    T3-CLIP-002 error: gradients are clipped after the update, where nothing uses them.
    T3-CLIP-003 error: gradients are clipped before the backward pass that makes them.
    T3-CLIP-004 warning: the gradients are far above the bound in every step.
    T3-CLIP-005 warning: the optimizer gets gradients above the bound: some of them are not clipped.
    T3-CLIP-006 warning: gradients are clipped after each micro-batch of an update.
    T3-CLIP-007 error: the parameters that are passed have no gradient, and those of the model do.

Source: the PyTorch notes on automatic mixed precision; Pascanu et al. 2013 (arXiv 1211.5063).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.step_event import EventKind, StepEvent
from tierproof.training.audit.rules.rule import Rule, RuleOutput, report_finding
from tierproof.training.audit.rules.update_window import UpdateWindow, WindowEvent, list_windows
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-CLIP"
# Gradients that shrink by so much between clipping and the update were clipped in another unit.
_SHRUNK = 1e-2
_FAR_ABOVE = 30.0
_HINT = (
    "Order: backward, scaler.unscale_(optimizer), clip_grad_norm_, scaler.step(optimizer), scaler.update()."
)


def judge_clipping(evidence: AuditEvidence) -> RuleOutput:
    """Judge where gradients are clipped; see the module's docstring."""
    windows = [window for window in list_windows(evidence) if window.list_events(EventKind.CLIP)]
    if not windows:
        return RuleOutput(skipped="the step does not clip gradients")
    findings = [
        finding
        for finding in (
            _find_scaled(windows),
            _find_shrunk(windows),
            _find_misplaced(windows),
            _find_empty(windows),
            _find_partial(windows),
            *_find_far_above(windows),
            _find_unclipped(windows),
        )
        if finding is not None
    ]
    if any(finding.code.endswith(("001", "002", "003", "007")) for finding in findings):
        findings = [finding for finding in findings if not finding.code.endswith(("004", "005"))]
    return RuleOutput(tuple(findings[:2]), _measure(windows))


def _measure(windows: list[UpdateWindow]) -> dict[str, float]:
    clips = [each.event for window in windows for each in window.list_events(EventKind.CLIP)]
    return {
        "bound": clips[0].values["most"],
        "median_norm_before": median(event.values["norm"] for event in clips),
        "clipped_share": sum(event.values["norm"] > event.values["most"] for event in clips) / len(clips),
    }


def _is_before(first: WindowEvent, second: WindowEvent) -> bool:
    return (first.call, first.event.order) < (second.call, second.event.order)


def _find_scaled(windows: list[UpdateWindow]) -> Finding | None:
    """A GradScaler that steps without having unscaled before the clipping."""
    for window in windows:
        steps = window.list_events(EventKind.SCALER_STEP)
        clips = window.list_events(EventKind.CLIP)
        unscaled = window.list_events(EventKind.UNSCALE)
        if not steps or not _is_before(clips[0], steps[0]):
            return None
        if any(_is_before(each, clips[0]) for each in unscaled):
            return None
    first = windows[0]
    clip, step = first.list_events(EventKind.CLIP)[0].event, first.list_events(EventKind.SCALER_STEP)[0].event
    enabled = bool(step.values["enabled"])
    scale = step.values["scale"]
    how = (
        f"they still carry the loss scale of {scale:g}"
        if enabled
        else "the scaler is disabled here, and where it is enabled they still carry the loss scale"
    )
    return report_finding(
        f"{CODE}-001",
        Severity.ERROR if enabled else Severity.WARNING,
        f"Gradients are clipped before they are unscaled: {how}.",
        line=clip.line,
        evidence={"loss_scale": scale, "norm": clip.values["norm"], "bound": clip.values["most"]},
        hint=_HINT,
    )


def _find_shrunk(windows: list[UpdateWindow]) -> Finding | None:
    """Gradients that were divided by hand after the clipping."""
    factors = []
    for window in windows:
        clip = window.list_events(EventKind.CLIP)[-1]
        norms = window.records[clip.call].clips.get(clip.event.order)
        if norms is None or norms[0] <= norms[1] or not window.updates or norms[1] == 0:
            return None
        if window.list_events(EventKind.SCALER_STEP):
            return None
        factors.append(_norm_of_update(window) / norms[1])
    if not factors or not 0 < max(factors) < _SHRUNK or max(factors) > 1.01 * min(factors):
        return None
    event = windows[0].list_events(EventKind.CLIP)[-1].event
    return report_finding(
        f"{CODE}-001",
        Severity.ERROR,
        f"Gradients are clipped before they are unscaled: after the clipping to {event.values['most']:g} they are "
        f"divided by {1 / factors[0]:g}, so that the optimizer gets a norm of {event.values['most'] * factors[0]:.2g}.",
        line=event.line,
        evidence={"factor": factors[0], "norm": event.values["norm"], "bound": event.values["most"]},
        hint="Divide the gradients by the loss scale first, then clip them.",
    )


def _norm_of_update(window: UpdateWindow) -> float:
    return math.sqrt(
        sum(
            each.norm**2
            for update in window.updates
            for each in update.gradients.values()
            if each is not None
        )
    )


def _find_misplaced(windows: list[UpdateWindow]) -> Finding | None:
    for late in (True, False):
        events: list[StepEvent] = []
        for window in windows:
            clips = window.list_events(EventKind.CLIP)
            updates, backwards = window.list_events(EventKind.UPDATE), window.list_events(EventKind.BACKWARD)
            if not updates or not backwards:
                break
            wrong = (
                all(_is_before(updates[-1], each) for each in clips)
                if late
                else all(_is_before(each, backwards[0]) for each in clips)
            )
            if not wrong:
                break
            events.append(clips[0].event)
        if len(events) == len(windows):
            return report_finding(
                f"{CODE}-002" if late else f"{CODE}-003",
                Severity.ERROR,
                "Gradients are clipped after the optimizer's step, which used them as they were."
                if late
                else "Gradients are clipped before the backward pass that makes them.",
                line=events[0].line,
                hint="Clip between loss.backward() and optimizer.step().",
            )
    return None


def _find_empty(windows: list[UpdateWindow]) -> Finding | None:
    """Calls that are given no parameter with a gradient, although there are gradients."""
    empty = [
        window.list_events(EventKind.CLIP)[0].event
        for window in windows
        if all(_is_empty(each.event) for each in window.list_events(EventKind.CLIP))
    ]
    if len(empty) < max(1, len(windows) - 1):  # a generator of parameters serves the first call
        return None
    return report_finding(
        f"{CODE}-007",
        Severity.ERROR,
        "Nothing is clipped: none of the parameters that are passed has a gradient, although the norm of the model's "
        f"gradients is {empty[0].values['norm']:.3g}.",
        line=empty[0].line,
        evidence={"norm": empty[0].values["norm"], "calls": len(empty)},
        hint="Pass list(model.parameters()): a generator is used up after one call.",
    )


def _is_empty(event: StepEvent) -> bool:
    return event.values.get("covered") == 0 and event.values["norm"] > 0


def _find_partial(windows: list[UpdateWindow]) -> Finding | None:
    """Sums over a part of the micro-batches that are clipped, and added to afterwards."""
    found: StepEvent | None = None
    for window in windows:
        passes = window.list_events(EventKind.BACKWARD)
        clips = [
            each
            for each in window.list_events(EventKind.CLIP)
            if passes and _is_before(passes[0], each) and _is_before(each, passes[-1])
        ]
        if not clips or any(_is_before(each, passes[-1]) for each in window.list_events(EventKind.UPDATE)):
            return None
        if any(each is None or each.is_zero for each in window.backwards[-1].before.values()):
            return None
        found = found or clips[0].event
    if found is None:
        return None
    return report_finding(
        f"{CODE}-006",
        Severity.WARNING,
        "Gradients are clipped after each micro-batch, and the next one adds to what is left: the first micro-batches "
        "weigh less the larger their gradients are.",
        line=found.line,
        hint="Clip once, after the last micro-batch of an update.",
    )


def _find_far_above(windows: list[UpdateWindow]) -> Iterator[Finding]:
    clips = [
        each.event
        for window in windows
        for each in window.list_events(EventKind.CLIP)
        if each.event.values["by_norm"] and each.event.values["most"] > 0
    ]
    ratios = [event.values["norm"] / event.values["most"] for event in clips]
    if len(ratios) >= 3 and min(ratios) > _FAR_ABOVE and math.isfinite(max(ratios)):
        yield report_finding(
            f"{CODE}-004",
            Severity.WARNING,
            f"The gradient norm is far above the bound in every step: {median(ratios):.0f} times in the median. Every "
            "update has the same length, whatever the loss.",
            line=clips[0].line,
            evidence={"median_ratio": median(ratios), "bound": clips[0].values["most"]},
            hint="Raise the bound, lower the scale of the loss, or look for the cause of such gradients.",
        )


def _find_unclipped(windows: list[UpdateWindow]) -> Finding | None:
    events, norms = [], []
    for window in windows:
        clip = window.list_events(EventKind.CLIP)[-1]
        most = clip.event.values["most"]
        got = _norm_of_update(window)
        if (
            not clip.event.values["by_norm"]
            or window.list_events(EventKind.SCALER_STEP)
            or not got > 1.02 * most
        ):
            return None
        if len(window.list_events(EventKind.CLIP)) > 1:  # parts that are clipped apart have a bound each
            return None
        events.append(clip.event)
        norms.append(got)
    return report_finding(
        f"{CODE}-005",
        Severity.WARNING,
        f"The optimizer gets gradients with a norm of {norms[0]:.3g}, above the bound of {events[0].values['most']:g}: "
        "some parameters are not clipped.",
        line=events[0].line,
        evidence={"norm": norms[0], "bound": events[0].values["most"]},
        hint="Pass all parameters of the model to clip_grad_norm_.",
    )


RULE = Rule(CODE, "gradient clipping", judge_clipping)
