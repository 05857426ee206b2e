"""T3-DATA, data: the step does not spend its time waiting for data.

What it does: measures what share of a step goes by before the first forward pass.

Why it matters: a device that waits for data half of the time trains half as fast.

Evidence: seconds before the first forward pass and of the whole step.

Exemptions: steps below 20 ms. Batches that are made outside of the step are not measured.

Findings:
    T3-DATA-001 warning: half of the step goes by before the model is called.

Source: the PyTorch performance tuning guide.
"""

from __future__ import annotations

from statistics import median

from tierproof.core.finding import Severity
from tierproof.training.audit.recording.step_event import EventKind
from tierproof.training.audit.rules.rule import Rule, RuleOutput, report_finding
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-DATA"
_LEAST_S, _SHARE = 0.02, 0.5


def judge_data_waiting(evidence: AuditEvidence) -> RuleOutput:
    """Judge how long a step waits before it calls the model; see the module's docstring."""
    called = [record for record in evidence.plain[1:] if record.forwards]
    if len(called) < 2:
        return RuleOutput(skipped="the model itself was called in fewer than three steps")
    seconds = median(record.seconds for record in called)
    waiting = median(record.data_seconds for record in called)
    measurements = {"step_s": seconds, "before_the_model_s": waiting}
    if seconds < _LEAST_S or waiting < _SHARE * seconds:
        return RuleOutput((), measurements)
    finding = report_finding(
        f"{CODE}-001",
        Severity.WARNING,
        f"{waiting / seconds:.0%} of a step's {seconds * 1000:.0f} ms go by before the model is called.",
        line=called[-1].find_line(EventKind.FORWARD),
        evidence=measurements,
        hint="Prepare batches in the workers of a DataLoader (num_workers, pin_memory, prefetch_factor).",
    )
    return RuleOutput((finding,), measurements)


RULE = Rule(CODE, "data", judge_data_waiting)
