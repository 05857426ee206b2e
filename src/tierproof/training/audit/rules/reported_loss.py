"""T3-LOSS, reported loss: what the step returns is what it minimises, and it starts where it should.

What it does: compares the returned loss with the value that backward ran on, over a few steps, and the first one with
the loss of even chances over the classes.

Why it matters: a curve of another number than the minimised one hides divergence and regularisers. A loss far above
chance at the start tells of unscaled scores or wrong targets.

Evidence: both values in each step, their ratio, the number of classes.

Exemptions: a constant factor between the two (accumulation, loss scale, reporting per row). A sum of several losses
has no chance of its own.

Findings:
    T3-LOSS-001 warning: the returned loss is not the one that backward ran on.
    T3-LOSS-002 warning: the first loss is far above that of even chances.
    T3-LOSS-003 error: the loss is not finite.
    T3-LOSS-004 warning: the loss grows many times within a few updates.
    T3-LOSS-005 warning: what the step returns is maximised: backward runs on its negative.

Source: cross-entropy of an even distribution over n classes is ln n.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.step_event import EventKind
from tierproof.training.audit.recording.step_record import StepRecord
from tierproof.training.audit.rules.rule import Rule, RuleOutput, report_finding
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-LOSS"
_TOLERANCE = 5e-3
_FAR_ABOVE, _FAR_ABOVE_BY = 1.5, 1.0
_GROWN = 3.0


def judge_reported_loss(evidence: AuditEvidence) -> RuleOutput:
    """Judge the loss that the step returns; see the module's docstring."""
    losses = [record.reported for record in evidence.plain]
    known = [loss for loss in losses if loss is not None]
    if not known:
        return RuleOutput(skipped="the step returns no loss")
    findings = [
        *_find_infinite(evidence),
        *_find_other(evidence),
        *_find_start(evidence),
        *_find_growth(known, evidence),
    ]
    return RuleOutput(tuple(findings), {"losses": known})


def _find_infinite(evidence: AuditEvidence) -> Iterator[Finding]:
    for index, record in enumerate(evidence.plain):
        if record.reported is not None and not math.isfinite(record.reported):
            yield report_finding(
                f"{CODE}-003",
                Severity.ERROR,
                f"The loss is {record.reported} in call {index + 1}.",
                line=record.find_line(EventKind.LOSS, EventKind.BACKWARD),
                evidence={"call": index + 1},
                hint="Check the inputs and the model (tp.check), and lower the learning rate.",
            )
            return


def _list_values(record: StepRecord) -> list[float]:
    """What the returned loss may be, up to a constant factor: the sum (or mean), the last or the first of the values
    that backward ran on, or their sum for each target. An optimizer with a closure (LBFGS) returns the first."""
    scales = [each.values["scale"] for each in record.events if each.kind is EventKind.SCALER_STEP]
    scale = scales[-1] if scales else 1.0
    values = [each.value / scale for each in record.backwards]
    if not values:
        return []
    counted = sum(each.values["counted"] for each in record.list_events(EventKind.LOSS)) or 1.0
    return [sum(values), values[-1], values[0], sum(values) / counted]


def _find_other(evidence: AuditEvidence) -> Iterator[Finding]:
    rows: list[tuple[float, list[float]]] = []
    for record in evidence.plain:
        values = _list_values(record)
        if record.reported is None or not values or not all(map(math.isfinite, values)):
            return
        rows.append((record.reported, values))
    if len(rows) < 3 or any(abs(value) < 1e-9 for _, values in rows for value in values):
        return
    for choice in range(len(rows[0][1])):
        ratios = [reported / values[choice] for reported, values in rows]
        if max(ratios) - min(ratios) <= _TOLERANCE * abs(max(ratios, key=abs)):
            if max(ratios) < 0:
                yield _report_sign(evidence, rows[-1][0])
            return
    reported, values = rows[-1]
    yield report_finding(
        f"{CODE}-001",
        Severity.WARNING,
        f"The loss that the step returns is not the one that it minimises: it returns {reported:.4g} and calls "
        f"backward on {values[1]:.4g}, and their ratio changes from step to step.",
        line=evidence.plain[-1].find_line(EventKind.BACKWARD),
        evidence={"returned": reported, "minimised": values[1]},
        hint="Return the value of the tensor that backward() is called on; a running mean or a part of it hides what "
        "is minimised.",
    )


def _report_sign(evidence: AuditEvidence, reported: float) -> Finding:
    return report_finding(
        f"{CODE}-005",
        Severity.WARNING,
        f"Backward runs on the negative of what the step returns ({reported:.4g}): the returned figure is maximised.",
        line=evidence.plain[-1].find_line(EventKind.BACKWARD),
        evidence={"returned": reported},
        hint="Take the minus away; or return the figure that is minimised, if this is a reward.",
    )


def _find_start(evidence: AuditEvidence) -> Iterator[Finding]:
    first = evidence.quiet or evidence.plain[0]
    losses = first.list_events(EventKind.LOSS)
    if len(losses) != 1 or not losses[0].values["mean"] or first.reported is None:
        return
    classes = int(losses[0].values["classes"])
    if classes < 2:
        return
    values = _list_values(first)[:2]
    chance = math.log(classes)
    if not values or len(first.backwards) != 1:
        return
    loss = min(values[-1], first.reported)  # one of them may carry a scale
    if loss > _FAR_ABOVE * chance + _FAR_ABOVE_BY:
        yield report_finding(
            f"{CODE}-002",
            Severity.WARNING,
            f"The first loss is {loss:.3g}; a model that knows nothing of {classes} classes has {chance:.3g}.",
            line=first.find_line(EventKind.LOSS, EventKind.BACKWARD),
            evidence={"loss": loss, "even_chances": chance, "classes": classes},
            hint="The scores are far too large, or the targets are wrong: check the initialisation (tp.check, T1-INIT) "
            "and the labels.",
        )


def _find_chance(evidence: AuditEvidence) -> float:
    """The loss of even chances over the most classes of a loss of the first step; 0 where there are none."""
    events = evidence.plain[0].list_events(EventKind.LOSS)
    return math.log(max((event.values["classes"] for event in events), default=0.0) or 1.0)


def _find_growth(losses: list[float], evidence: AuditEvidence) -> Iterator[Finding]:
    if (
        len(losses) >= 4
        and all(map(math.isfinite, losses))
        and min(losses[-2:]) > _GROWN * max(abs(losses[0]), _find_chance(evidence)) + 1
    ):
        rates = [rate for record in evidence.plain for update in record.updates for rate in update.rates]
        yield report_finding(
            f"{CODE}-004",
            Severity.WARNING,
            f"The loss grows from {losses[0]:.3g} to {losses[-1]:.3g} within {len(losses)} calls; the learning rate is "
            f"{max(rates, default=math.nan):g}.",
            evidence={"first": losses[0], "last": losses[-1], "learning_rate": max(rates, default=math.nan)},
            hint="Lower the learning rate, or look at the sign of the loss.",
        )


RULE = Rule(CODE, "reported loss", judge_reported_loss)
