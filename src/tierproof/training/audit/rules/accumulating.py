"""T3-ACCUM, accumulation: k micro-batches make the same update as one batch of all their rows.

What it does: reads off the gradients of the scores how much each target weighs in each micro-batch of an update.

Why it matters: gradients that are added and not averaged make the step k times as large. A mean of means lets the
tokens of a short micro-batch weigh more than those of a long one, which changes what is learnt.

Evidence: the weight of a target in each micro-batch, and how many targets it has.

Exemptions: losses that are no cross-entropy of the model's outputs; several losses of one batch, which are meant to be
added; backward passes between which the gradients are zeroed, as an optimizer with a closure makes them. Passes of one
call count as micro-batches where the batch is a list of batches, or is cut into such, or the step draws its own.

Findings:
    T3-ACCUM-001 error: the gradients of the micro-batches are added and not averaged.
    T3-ACCUM-002 error: targets weigh differently in micro-batches of different size (mean of means).
    T3-ACCUM-003 warning: the first update is made of fewer micro-batches than every later one.
    T3-ACCUM-004 warning: the micro-batches' means are divided by another number than theirs.

Source: huggingface/transformers#34191 on accumulation over unequal lengths.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import torch

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.step_event import EventKind
from tierproof.training.audit.recording.step_record import OutputUse
from tierproof.training.audit.rules.rule import Rule, RuleOutput, report_finding
from tierproof.training.audit.rules.update_window import UpdateWindow, list_windows
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-ACCUM"
_TOLERANCE = 0.02
# A trainer calls backward itself: then the line of its loss is the user's.
_LINES = (EventKind.BACKWARD, EventKind.LOSS, EventKind.FORWARD)


@dataclass(frozen=True)
class _MicroBatch:
    """One micro-batch: how many targets it has, and what each weighs."""

    targets: int
    weight: float
    rows: int


def judge_accumulating(evidence: AuditEvidence) -> RuleOutput:
    """Judge how micro-batches are put together; see the module's docstring."""
    every = list_windows(evidence)
    windows = [window for window in every if len(window.backwards) > 1]
    if not windows:
        return RuleOutput(skipped="each update has one backward pass")
    if any(not _adds_up(window) for window in windows):
        return RuleOutput(skipped="the gradients are zeroed between the backward passes of an update")
    findings: list[Finding] = []
    measurements: dict[str, float] = {"backward_passes_per_update": len(windows[0].backwards)}
    short = _find_short_start(every)
    if short is not None:
        findings.append(short)
    for window in windows:
        parts = _list_parts(window, evidence)
        if parts is None:
            reason = (
                "the backward passes are not of micro-batches with a cross-entropy of the model's outputs"
            )
            return RuleOutput(tuple(findings), measurements, skipped="" if findings else reason)
        finding = (
            _find_sum(window, parts)
            or _find_mean_of_means(window, parts)
            or _find_other_divisor(window, parts)
        )
        if finding is not None and len(findings) == (short is not None):
            findings.append(finding)
    return RuleOutput(tuple(findings), measurements)


def _find_short_start(windows: tuple[UpdateWindow, ...]) -> Finding | None:
    """An update at the first micro-batch, by a count that starts at 0: `if step % n == 0`."""
    counts = [len(window.backwards) for window in windows]
    if len(counts) < 3 or counts[0] >= min(counts[1:]) or len(set(counts[1:])) > 1:
        return None
    if any(each is not None and not each.is_zero for each in windows[0].backwards[0].before.values()):
        return None  # an accumulation was begun before
    event = windows[0].list_events(EventKind.UPDATE)[0].event
    return report_finding(
        f"{CODE}-003",
        Severity.WARNING,
        f"The first update is made of {counts[0]} micro-batch{'es' if counts[0] > 1 else ''}, and every later one of "
        f"{counts[1]}.",
        line=event.line,
        evidence={"first": counts[0], "later": counts[1]},
        hint="Update at the last micro-batch: if (step + 1) % n == 0.",
    )


def _adds_up(window: UpdateWindow) -> bool:
    """Whether each backward pass adds to what the one before it left."""
    return all(
        any(each is not None and not each.is_zero for each in later.before.values())
        for later in window.backwards[1:]
    )


def _list_parts(window: UpdateWindow, evidence: AuditEvidence) -> list[_MicroBatch] | None:
    parts = []
    for use in window.outputs:
        part = _read_part(use)
        if part is None:
            return None
        parts.append(part)
    if len(parts) != len(window.backwards) or len(parts) < 2:
        return None
    if len(window.records) == 1 and not _are_micro_batches(window, parts, evidence):
        return None
    scales = [each.event.values["scale"] for each in window.list_events(EventKind.SCALER_STEP)]
    scale = scales[-1] if scales else 1.0
    return [_MicroBatch(part.targets, part.weight / scale, part.rows) for part in parts]


def _are_micro_batches(window: UpdateWindow, parts: list[_MicroBatch], evidence: AuditEvidence) -> bool:
    """Whether the passes of one call are of different rows: several losses of one batch are meant to be added."""
    if any(use.path != window.outputs[0].path for use in window.outputs):
        return False
    if evidence.rows is not None and sum(part.rows for part in parts) == evidence.rows:
        return True
    listed = not evidence.batch_tensors or evidence.micro_batches >= len(parts)
    return listed and not _share_targets(window.outputs)


def _share_targets(outputs: tuple[OutputUse, ...]) -> bool:
    """Whether two of the losses have the same targets: they are losses of the same rows."""
    return any(
        one.targets.shape == two.targets.shape and bool((one.targets == two.targets).all())
        for one, two in combinations(outputs, 2)
    )


def _read_part(use: OutputUse) -> _MicroBatch | None:
    if not use.is_cross_entropy:
        return None
    weights = use.weights[use.reached & ~use.weights.isnan()]
    if not len(weights):
        return None
    middle = float(weights.median())
    if middle <= 0 or float((weights - middle).abs().max()) > _TOLERANCE * middle:
        return None  # weighed by class or row: nothing is said
    return _MicroBatch(int(use.reached.sum()), middle, use.shape[0])


def _find_sum(window: UpdateWindow, parts: list[_MicroBatch]) -> Finding | None:
    totals = torch.tensor([part.targets * part.weight for part in parts])
    if not bool((totals - 1).abs().max() <= _TOLERANCE):
        return None
    return report_finding(
        f"{CODE}-001",
        Severity.ERROR,
        f"The gradients of {len(parts)} micro-batches are added and not averaged: the update is that of a loss "
        f"{len(parts)} times as large.",
        line=window.find_last_line(*_LINES),
        evidence={"micro_batches": len(parts)},
        hint=f"Divide each loss by the number of micro-batches ({len(parts)}), or by the number of all targets.",
    )


def _find_mean_of_means(window: UpdateWindow, parts: list[_MicroBatch]) -> Finding | None:
    weights = [part.weight for part in parts]
    lightest = min(parts, key=lambda part: part.weight)
    heaviest = max(parts, key=lambda part: part.weight)
    if max(weights) <= (1 + _TOLERANCE) * min(weights):
        return None
    return report_finding(
        f"{CODE}-002",
        Severity.ERROR,
        f"The mean of the micro-batches' means is minimised: a target weighs {heaviest.weight / lightest.weight:.3g} "
        f"times as much in a micro-batch of {heaviest.targets} targets as in one of {lightest.targets}.",
        line=window.find_last_line(*_LINES),
        evidence={
            "weight_ratio": heaviest.weight / lightest.weight,
            "targets_of_heaviest": heaviest.targets,
            "targets_of_lightest": lightest.targets,
        },
        hint="Sum the losses (reduction='sum') and divide by the number of targets of all micro-batches.",
    )


def _find_other_divisor(window: UpdateWindow, parts: list[_MicroBatch]) -> Finding | None:
    """Means of micro-batches that are divided by a whole number other than theirs."""
    divisors = {round(1 / (part.targets * part.weight)) for part in parts}
    divisor = divisors.pop()
    if divisors or divisor in (1, len(parts)):
        return None
    if any(abs(part.targets * part.weight * divisor - 1) > _TOLERANCE for part in parts):
        return None
    return report_finding(
        f"{CODE}-004",
        Severity.WARNING,
        f"Each micro-batch's mean is divided by {divisor}, but {len(parts)} of them make an update: its gradient is "
        f"{len(parts) / divisor:.3g} times that of one batch.",
        line=window.find_last_line(*_LINES),
        evidence={"micro_batches": len(parts), "divisor": divisor},
        hint=f"Divide by the number of micro-batches of an update ({len(parts)}), in every place that names it.",
    )


RULE = Rule(CODE, "accumulation", judge_accumulating)
