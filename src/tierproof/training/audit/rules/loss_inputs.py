"""Find losses that are given what they do not take: probabilities for scores, scores for log-probabilities."""

from __future__ import annotations

from collections.abc import Iterator

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.step_event import EventKind, StepEvent
from tierproof.training.audit.rules.rule import report_finding
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-TARGET"
_SAID = (
    (
        "probabilities",
        f"{CODE}-010",
        "Cross-entropy is given probabilities and takes a softmax of them: its gradient is small, and it stays large.",
        "Pass the scores before the softmax.",
    ),
    (
        "unnormalised",
        f"{CODE}-011",
        "nll_loss is given scores that are no log-probabilities: it has no lower end, and scores only grow.",
        "Use cross_entropy, or pass log_softmax(scores).",
    ),
    (
        "stretched",
        f"{CODE}-012",
        "Inputs and targets of the loss differ in shape: a column against a row, so each value meets every target.",
        "Give both one shape: squeeze the one, or unsqueeze the other.",
    ),
)


def find_loss_inputs(evidence: AuditEvidence) -> Iterator[Finding]:
    """One finding for each kind of input that is wrong in every call of the step."""
    for key, code, message, hint in _SAID:
        found = [_find_first(record.list_events(EventKind.LOSS), key) for record in evidence.plain]
        first = next(iter(found), None)
        if first is not None and all(found):
            yield report_finding(
                code,
                Severity.WARNING,
                message,
                line=first.line,
                evidence={"targets": first.values["targets"]},
                hint=hint,
            )


def _find_first(events: tuple[StepEvent, ...], key: str) -> StepEvent | None:
    return next((event for event in events if event.values.get(key)), None)
