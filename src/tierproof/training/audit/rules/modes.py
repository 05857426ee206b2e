"""T3-MODES, training and evaluation mode: dropout is on in training, off in evaluation, and on again.

What it does: looks at the model's mode in each forward pass of a few steps, with gradients and without.

Why it matters: in evaluation mode dropout is off and batch norm does not learn its statistics; the loss looks better
than it should, and the model overfits. After an evaluation in the middle of an epoch this is easily forgotten.

Evidence: the mode of each forward pass, and how many dropout layers were on and off.

Exemptions: a model that is in evaluation mode from the first step on gets a warning only, because the call of
`model.train()` may lie outside of the step. Models without dropout and batch norm do not differ between modes. A
forward pass that no backward pass reaches trains nothing, also where autograd was on.

Findings:
    T3-MODES-001 error: the first steps train in training mode, and later ones in evaluation mode.
    T3-MODES-002 warning: the model trains in evaluation mode: dropout is off, batch norm keeps its statistics.
    T3-MODES-003 warning: a forward pass without gradients runs in training mode, with dropout on.

Source: torch.nn.Module.train; Srivastava et al. 2014 on dropout.
"""

from __future__ import annotations

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.step_event import StepEvent
from tierproof.training.audit.recording.step_record import ForwardRecord
from tierproof.training.audit.rules.rule import Rule, RuleOutput, report_finding
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-MODES"


def judge_modes(evidence: AuditEvidence) -> RuleOutput:
    """Judge the modes of the forward passes; see the module's docstring."""
    passes = [(record.events[f.event], f) for record in evidence.plain for f in record.forwards]
    if not passes:
        return RuleOutput(skipped="the model itself was never called")
    trained = [(event, each) for event, each in passes if each.with_gradient and each.reached]
    findings: list[Finding] = []
    if trained and any(each.training for _, each in trained):
        lost = next(((event, each) for event, each in trained if not each.training), None)
        if lost is not None and trained[0][1].training:
            findings.append(_report_lost(*lost))
    elif any(each.dropout_off or each.batch_norms_off for _, each in trained):
        findings.append(_report_never(*trained[0]))
    noisy = next(
        ((event, each) for event, each in passes if not each.with_gradient and each.dropout_on), None
    )
    if noisy is not None:
        findings.append(_report_noisy(*noisy))
    measurements = {
        "forward_passes": len(passes),
        "in_training_mode": sum(each.training for _, each in passes),
        "trained_on": len(trained),
    }
    return RuleOutput(tuple(findings), measurements)


def _report_lost(event: StepEvent, forward: ForwardRecord) -> Finding:
    return report_finding(
        f"{CODE}-001",
        Severity.ERROR,
        "The model is left in evaluation mode: the first steps train in training mode, later ones do not, so dropout "
        "and batch norm are off for the rest.",
        line=event.line,
        evidence={"dropout_layers_off": forward.dropout_off},
        hint="Call model.train() after each evaluation, before the next step.",
    )


def _report_never(event: StepEvent, forward: ForwardRecord) -> Finding:
    return report_finding(
        f"{CODE}-002",
        Severity.WARNING,
        f"The model trains in evaluation mode: in every step, {' and '.join(_tell_layers(forward))}.",
        line=event.line,
        evidence={
            "dropout_layers_off": forward.dropout_off,
            "batch_norms_off": forward.batch_norms_off,
        },
        hint="Call model.train() before the loop; models that were loaded with from_pretrained() begin in evaluation "
        "mode.",
    )


def _tell_layers(forward: ForwardRecord) -> list[str]:
    dropouts, norms = forward.dropout_off, forward.batch_norms_off
    told = []
    if dropouts:
        told.append(f"{dropouts} dropout layer{' is' if dropouts == 1 else 's are'} off")
    if norms:
        told.append(
            f"{norms} batch norm{' does' if norms == 1 else 's do'} not update the running statistics"
        )
    return told


def _report_noisy(event: StepEvent, forward: ForwardRecord) -> Finding:
    return report_finding(
        f"{CODE}-003",
        Severity.WARNING,
        f"A forward pass without gradients runs in training mode: {forward.dropout_on} dropout layers make its result "
        "random.",
        line=event.line,
        evidence={"dropout_layers_on": forward.dropout_on},
        hint="Call model.eval() before an evaluation, and model.train() after it.",
    )


RULE = Rule(CODE, "training and evaluation mode", judge_modes)
