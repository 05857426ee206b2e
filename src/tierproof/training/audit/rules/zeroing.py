"""T3-ZERO, gradients start from zero: each update uses the gradients of its own batches, and has them when it comes.

What it does: looks at the gradients right before the first backward pass after an update, and at those that the
optimizer gets.

Why it matters: gradients that are not zeroed add up over all steps, so that the update points where the loss of
earlier weights fell. Zeroed between backward and update, nothing is learnt at all.

Evidence: the norm of what was left over, beside that of the gradient which was added to it.

Exemptions: several backward passes before one update (accumulation) are no left-over.

Findings:
    T3-ZERO-001 error: the gradients of the update before are still there when backward adds to them.
    T3-ZERO-002 error: the gradients are zeroed between the backward pass and the update.
    T3-ZERO-003 warning: of several micro-batches, only the last one's gradients are left for the update.

Source: torch.optim.Optimizer.zero_grad; the PyTorch tutorials on training loops.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import torch

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.step_event import EventKind
from tierproof.training.audit.recording.step_record import Fingerprints
from tierproof.training.audit.rules.rule import Rule, RuleOutput, list_some, report_finding
from tierproof.training.audit.rules.update_window import UpdateWindow, list_windows
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-ZERO"


def judge_zeroing(evidence: AuditEvidence) -> RuleOutput:
    """Judge what gradients an update starts from and ends with; see the module's docstring."""
    windows = list_windows(evidence)
    if not windows:
        return RuleOutput(skipped="no optimizer stepped")
    findings = [*_find_left_over(evidence), *_find_zeroed(evidence), *_find_thrown_away(evidence)]
    return RuleOutput(tuple(findings), {"updates": len(windows)})


def _find_left_over(evidence: AuditEvidence) -> Iterator[Finding]:
    worst: tuple[float, float] | None = None
    paths: list[str] = []
    line = None
    count = 0
    held: set[str] = set()
    windows = list_windows(evidence)
    for earlier, window in pairwise(windows):
        if not window.backwards or not earlier.updates:
            continue
        if _goes_on(earlier):
            return  # what is left over may be of the batches after the update
        stepped = {update.optimizer for update in earlier.updates}
        mine = {
            each.path
            for each in evidence.parameters
            if each.trainable and any(index in stepped for index, _ in each.holders)
        }
        adding = {path: _find_adding(window, path) for path in mine}
        kept = sorted(path for path, index in adding.items() if index is not None)
        if not kept:
            continue
        count += 1
        paths, held = kept, mine
        index = min(each for each in adding.values() if each is not None)
        first = window.backwards[index]
        worst = (_norm(first.before, kept), _norm(first.after, kept))
        events = window.list_events(EventKind.BACKWARD)
        line = events[index].event.line if index < len(events) else None
    if worst is None:
        return
    often = "" if count == len(windows) - 1 else f" in {count} of {len(windows) - 1} updates"
    share = (
        "" if len(paths) == len(held) else f" of {len(paths)} of {len(held)} parameters ({list_some(paths)})"
    )
    yield report_finding(
        f"{CODE}-001",
        Severity.ERROR,
        f"Gradients{share} are not zeroed{often}: when backward runs, those of the update before are still there, "
        f"with a norm of {worst[0]:.3g}.",
        line=line,
        where=paths[0] if len(paths) == 1 else "",
        evidence={"norm_left_over": worst[0], "norm_after": worst[1], "parameters": len(paths)},
        hint="Call optimizer.zero_grad() before loss.backward(), or right after optimizer.step().",
    )


def _find_adding(window: UpdateWindow, path: str) -> int | None:
    """The backward pass that is the first to reach a parameter, where it adds to a gradient that was left over.

    Passes of other losses, as a discriminator's beside its generator, leave the parameter's gradient as it is.
    """
    for index, backward in enumerate(window.backwards):
        before, after = backward.before.get(path), backward.after.get(path)
        if before != after:
            return None if before is None or before.is_zero else index
    return None


def _goes_on(window: UpdateWindow) -> bool:
    """Whether a backward pass follows the last update in the same call, as in a step that makes several."""
    backwards, updates = window.list_events(EventKind.BACKWARD), window.list_events(EventKind.UPDATE)
    if not backwards or not updates:
        return False
    last, update = backwards[-1], updates[-1]
    return (last.call, last.event.order) > (update.call, update.event.order)


def _find_thrown_away(evidence: AuditEvidence) -> Iterator[Finding]:
    """Micro-batches of other targets whose gradients are gone when the next backward pass begins."""
    for window in list_windows(evidence):
        passes = window.list_events(EventKind.BACKWARD)
        if len(passes) < 2 or len(window.outputs) != len(passes):
            return
        between = [
            each
            for each in window.list_events(EventKind.UPDATE)
            if (each.call, each.event.order) < (passes[-1].call, passes[-1].event.order)
        ]
        alike = all(
            use.is_cross_entropy and use.path == window.outputs[0].path for use in window.outputs
        ) and not all(torch.equal(a.targets, b.targets) for a, b in pairwise(window.outputs))
        gone = all(
            each is None or each.is_zero for later in window.backwards[1:] for each in later.before.values()
        )
        if between or not alike or not gone:
            return
    window = next(iter(list_windows(evidence)))
    yield report_finding(
        f"{CODE}-003",
        Severity.WARNING,
        f"The gradients are zeroed before each of {len(window.backwards)} backward passes of an update: only the last "
        "micro-batch counts.",
        line=window.find_last_line(EventKind.ZERO_GRAD, EventKind.BACKWARD),
        evidence={"backward_passes": len(window.backwards)},
        hint="Zero the gradients once, before the first micro-batch.",
    )


def _norm(prints: Fingerprints, paths: list[str]) -> float:
    found = [prints.get(path) for path in paths]
    return math.sqrt(sum(each.norm**2 for each in found if each is not None))


def _find_zeroed(evidence: AuditEvidence) -> Iterator[Finding]:
    for window in list_windows(evidence):
        backwards = window.list_events(EventKind.BACKWARD)
        if not backwards or not window.updates:
            return
        made = any(each is not None and not each.is_zero for each in window.backwards[-1].after.values())
        gone = all(
            each is None or each.is_zero for update in window.updates for each in update.gradients.values()
        )
        if not made or not gone:
            return
    window = list_windows(evidence)[0]
    last = window.list_events(EventKind.BACKWARD)[-1]
    after = [
        each.event
        for each in window.list_events(EventKind.ZERO_GRAD)
        if (each.call, each.event.order) > (last.call, last.event.order)
    ]
    yield report_finding(
        f"{CODE}-002",
        Severity.ERROR,
        "The gradients are zeroed after backward and before the optimizer steps: the update has nothing to go by.",
        line=after[0].line if after else None,
        hint="Zero the gradients before loss.backward(), not between it and optimizer.step().",
    )


RULE = Rule(CODE, "gradients start from zero", judge_zeroing)
