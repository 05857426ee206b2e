"""T3-AGAIN, repeatable steps: the same seed gives the same step, and a state that is saved and loaded goes on equally.

What it does: runs the first step twice from the same state and seed. Then it runs two updates, and the second one once
more after everything with a `state_dict` was saved, reset and loaded.

Why it matters: a run that cannot be repeated cannot be debugged, and a run that goes on differently after a crash is
another run.

Evidence: the parameters that differ, and by how much.

Exemptions: variables that the step keeps for itself (the number of the step, say) may be saved elsewhere: where
carrying them over makes the updates equal, they are named as an info. A step that takes its data from a generator gets
other data each time.

Findings:
    T3-AGAIN-001 warning: the same step from the same state and seed gives other parameters.
    T3-AGAIN-002 warning: after saving and loading, the next update differs.
    T3-AGAIN-003 info: it differs for want of plain variables that no state_dict holds.

Source: the PyTorch notes on reproducibility; huggingface/transformers#46628.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.recording.fingerprint import Fingerprint
from tierproof.training.audit.recording.step_event import EventKind
from tierproof.training.audit.rules.rule import Rule, RuleOutput, list_some, report_finding
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-AGAIN"
# Rounding in another order stays below; another update does not.
_TOLERANCE = 1e-6


def judge_repeating(evidence: AuditEvidence) -> RuleOutput:
    """Judge whether steps can be repeated; see the module's docstring."""
    if evidence.again is None:
        return RuleOutput(skipped="the first step was not repeated")
    differing = _list_differing(evidence.plain[0].parameters, evidence.again.parameters)
    measurements = {"differing_parameters": len(differing)}
    if differing and evidence.one_way:
        return RuleOutput(
            skipped=f"each step takes other data from {list_some(evidence.one_way)}, which goes on"
        )
    if differing:
        finding = report_finding(
            f"{CODE}-001",
            Severity.WARNING,
            f"The same step from the same state and seed gives other values in {list_some(differing)}.",
            evidence=measurements,
            hint="Something draws from a generator of its own, or keeps a state that could not be put back: seed it, "
            "or pass it in.",
        )
        return RuleOutput((finding,), measurements)
    return RuleOutput(tuple(_find_unlike_resumption(evidence)), measurements)


def _find_unlike_resumption(evidence: AuditEvidence) -> list[Finding]:
    trial = evidence.resumed
    if trial is None or evidence.one_way:
        return []
    differing = _list_differing(trial.went_on.parameters, trial.resumed.parameters)
    if not differing:
        return []
    if trial.variables:
        return [_report_variables(trial.variables)]
    rates = [record.updates[-1].rates[0] for record in (trial.went_on, trial.resumed) if record.updates]
    why = "a state that is in no state_dict"
    if len(rates) == 2 and not math.isclose(rates[0], rates[1], rel_tol=1e-6):
        why = f"the learning rate, which is {rates[1]:.3g} in the place of {rates[0]:.3g}"
    return [
        report_finding(
            f"{CODE}-002",
            Severity.WARNING,
            "After the model, optimizer, scheduler and scaler are saved and loaded, the next update differs in "
            f"{list_some(differing)}: it depends on {why}.",
            line=trial.resumed.find_line(EventKind.UPDATE),
            evidence={"differing_parameters": len(differing)},
            hint="Save it beside the state_dicts: the number of the step, averages, generators, plain attributes.",
        )
    ]


def _report_variables(names: tuple[str, ...]) -> Finding:
    them = "it" if len(names) == 1 else "them"
    return report_finding(
        f"{CODE}-003",
        Severity.INFO,
        f"A run that goes on after a crash needs {list_some(names)} beside the state_dicts: with {them} the next "
        f"update is the same, and without {them} it is not.",
        evidence={"variables": list(names)},
        hint="Save these variables in each checkpoint.",
    )


def _list_differing(
    first: Mapping[str, Fingerprint | None], second: Mapping[str, Fingerprint | None]
) -> list[str]:
    return [
        path
        for path, one in first.items()
        if one is not None and (two := second.get(path)) is not None and one.differs(two, _TOLERANCE)
    ]


RULE = Rule(CODE, "repeatable steps", judge_repeating)
