"""T3-EMA, averaged weights: the average follows every weight and buffer, and is not the model itself.

What it does: reads from each update how far the average moved towards the weights. Where it follows
average ← d · average + (1 − d) · weight, all parameters show the same d.

Why it matters: an average is what is evaluated and shipped. Without batch norm's statistics it answers wrongly, and one
that shares memory with the model is no average at all.

Evidence: d of each parameter, from a projection of the tensors that is linear in them.

Exemptions: other tensors of the model's shapes, such as a frozen teacher or momentum, do not follow the rule, and are
left alone unless they were passed as `ema=`.

Findings:
    T3-EMA-001 error: parameters of the average do not follow the model's.
    T3-EMA-002 error or warning: buffers change in training, and the average's do not, or it has none.
    T3-EMA-003 error: the average shares its memory with the model.
    T3-EMA-004 error: the average is never updated.
    T3-EMA-005 warning: the average is updated before the optimizer steps, and lags one step.
    T3-EMA-006 warning: the average keeps less than half of itself in each update.

Source: Polyak and Juditsky 1992; torch.optim.swa_utils.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.step_record import Fingerprints, StepRecord
from tierproof.training.audit.rules.rule import (
    Rule,
    RuleOutput,
    find_common_module,
    list_some,
    report_finding,
)
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-EMA"
_TOLERANCE = 0.02
# The share of the changed parameters that agree on one decay, from which on tensors are an average.
_AGREEING = 0.5
# An average that keeps less of itself than this forgets within a few updates.
_QUICK = 0.5


@dataclass(frozen=True)
class _Following:
    """The decay that most parameters agree on, and those that do not follow it."""

    decay: float
    lost: tuple[str, ...]
    agreeing: float


def judge_averaging(evidence: AuditEvidence) -> RuleOutput:
    """Judge the averaged weights; see the module's docstring."""
    if not evidence.averages:
        return RuleOutput(skipped="no averaged weights were found; pass them as `ema=` if there are some")
    findings: list[Finding] = []
    decays = {}
    given = any(fact.name == "averaged weights" and fact.standing.value == "given" for fact in evidence.facts)
    for index, name in enumerate(evidence.averages):
        if evidence.shared[index]:
            findings.append(_report_shared(name))
            continue
        steps = _list_steps(evidence, index)
        if not steps:
            if given:
                findings.append(_report_never(name))
            continue
        following = _measure(*steps[-1], index)
        lagging = _measure(*steps[-1], index, before_update=True)
        late = following is None or following.agreeing < 1
        if lagging is not None and late and lagging.agreeing > (following.agreeing if following else 0):
            findings.append(_report_lag(name))
            following = lagging
        if following is None:
            continue
        decays[name] = following.decay
        quick = _find_quick(steps, index, name)
        if quick is not None:
            findings.append(quick)
        findings += _judge_one(evidence, index, name, following)
    measurements = {f"decay of {name}": decay for name, decay in decays.items()}
    return RuleOutput(tuple(findings), measurements)


def _list_steps(evidence: AuditEvidence, index: int) -> list[tuple[StepRecord, StepRecord]]:
    """(before, after) of the calls in which the average changed."""
    records = (evidence.initial, *evidence.plain)
    return [
        (before, after)
        for before, after in pairwise(records)
        if before.averages[index] != after.averages[index]
    ]


def _measure(
    before: StepRecord, after: StepRecord, index: int, *, before_update: bool = False
) -> _Following | None:
    old, new = before.averages[index], after.averages[index]
    weights = before.parameters if before_update else after.parameters
    decays = {path: _find_decay(old, new, weights, path) for path in new if path in weights}
    known = {path: each for path, each in decays.items() if each is not None}
    if len(known) < 2:
        return None
    still = {path for path, each in known.items() if abs(each - 1) < 1e-9}  # they did not change at all
    changed = {path: each for path, each in known.items() if path not in still}
    if not changed:
        return None
    middle = median(changed.values())
    close = [
        path
        for path, each in changed.items()
        if abs(each - middle) <= _TOLERANCE * max(0.02, 1 - middle) + _find_doubt(old, weights, path)
    ]
    if not -0.01 <= middle < 1 - 1e-9 or len(close) < max(2, _AGREEING * len(changed)):
        return None
    lost = tuple(path for path in known if path not in close)
    return _Following(middle, lost, len(close) / len(known))


def _find_decay(old: Fingerprints, new: Fingerprints, weights: Fingerprints, path: str) -> float | None:
    first, second, target = old.get(path), new.get(path), weights[path]
    if first is None or second is None or target is None:
        return None
    distance = first.product - target.product
    if abs(distance) <= 1e-6 * max(first.norm, 1e-12) or not math.isfinite(distance):
        return None
    return (second.product - target.product) / distance


def _find_doubt(old: Fingerprints, weights: Fingerprints, path: str) -> float:
    """How far rounding may move a decay: a weight that hardly moved is a small distance between large numbers."""
    first, target = old.get(path), weights[path]
    if first is None or target is None:
        return 0.0
    rounding = max(first.rounding, target.rounding) * max(first.norm, target.norm)
    return 4 * rounding / max(abs(first.product - target.product), 1e-300)


def _judge_one(evidence: AuditEvidence, index: int, name: str, following: _Following) -> Iterator[Finding]:
    trainable = {each.path for each in evidence.parameters if each.trainable}
    lost = [path for path in following.lost if path in trainable]
    if lost:
        yield report_finding(
            f"{CODE}-001",
            Severity.ERROR,
            f"{name} averages with a decay of {following.decay:.6g}, but {list_some(lost)} "
            f"{'does' if len(lost) == 1 else 'do'} not follow.",
            where=find_common_module(lost),
            evidence={"decay": following.decay, "parameters": len(lost)},
            hint="Update every parameter of the average in each step.",
        )
    first, last = evidence.initial, evidence.plain[-1]
    moving = [path for path, each in first.buffers.items() if each != last.buffers.get(path)]
    kept = last.averages[index]
    still = [path for path in moving if path in kept and kept[path] == first.averages[index].get(path)]
    still = [path for path in still if kept[path] != last.buffers[path]]
    absent = [path for path in moving if path not in kept]
    if still or absent:
        paths = still or absent
        how = "its own stay as they were" if still else "it has none"
        yield report_finding(
            f"{CODE}-002",
            Severity.ERROR if still else Severity.WARNING,
            f"{name} leaves the buffers out: {list_some(paths)} change in training, and {how}.",
            where=find_common_module(paths),
            evidence={"buffers": len(paths)},
            hint="Copy the buffers after each update, as torch.optim.swa_utils.AveragedModel does.",
        )


def _find_quick(steps: list[tuple[StepRecord, StepRecord]], index: int, name: str) -> Finding | None:
    """An average that keeps less than half of itself in each update; one that only begins so warms up."""
    found = [_measure(*each, index) for each in steps]
    decays = [each.decay for each in found if each is not None]
    if (
        len(decays) < 3
        or max(decays) >= _QUICK
        or max(decays) < 1e-3
        or max(decays) - min(decays) > _TOLERANCE
    ):
        return None
    return report_finding(
        f"{CODE}-006",
        Severity.WARNING,
        f"{name} keeps {decays[-1]:.3g} of itself in each update and takes {1 - decays[-1]:.3g} of the weights: it is "
        "hardly an average.",
        evidence={"decay": decays[-1]},
        hint="The decay and 1 - decay may be exchanged: average = decay * average + (1 - decay) * weights.",
    )


def _report_shared(name: str) -> Finding:
    return report_finding(
        f"{CODE}-003",
        Severity.ERROR,
        f"{name} shares its memory with the model: it is the model's present weights, not their average.",
        hint="Start it with copy.deepcopy(model), or with a clone() of each tensor.",
    )


def _report_never(name: str) -> Finding:
    return report_finding(
        f"{CODE}-004",
        Severity.ERROR,
        f"{name} is never updated: it holds the weights it began with.",
        hint="Update it after each optimizer.step().",
    )


def _report_lag(name: str) -> Finding:
    return report_finding(
        f"{CODE}-005",
        Severity.WARNING,
        f"{name} is updated before the optimizer steps: it averages the weights of the step before.",
        hint="Update it after optimizer.step().",
    )


RULE = Rule(CODE, "averaged weights", judge_averaging)
