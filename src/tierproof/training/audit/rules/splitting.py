"""T3-SPLIT, held-out data: no row is in both sets, and nothing was fitted on both.

What it does: compares the rows of `held_out=` with those of the batches that are trained on, and looks at the mean and
spread of each feature.

Why it matters: rows that were trained on, and a normalisation that has seen the held-out set, make the evaluation look
better than what comes later.

Evidence: how many rows are shared, and which tensors have mean 0 and spread 1 over both sets together.

Exemptions: sets whose features are no plain numbers are compared by their rows alone. Repeated rows may be in the data
as it came, so that this is a warning.

Findings:
    T3-SPLIT-001 warning: rows that are held out are also trained on.
    T3-SPLIT-002 warning: features were normalised over both sets, before they were split.

Source: Kaufman et al. 2012 on leakage.
"""

from __future__ import annotations

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.rules.rule import Rule, RuleOutput, list_some, report_finding
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-SPLIT"


def judge_splitting(evidence: AuditEvidence) -> RuleOutput:
    """Judge how training and held-out data are split; see the module's docstring."""
    split = evidence.split
    if split is None:
        return RuleOutput(skipped="no held-out data was passed as `held_out=`")
    findings: list[Finding] = []
    if split.shared:
        findings.append(
            report_finding(
                f"{CODE}-001",
                Severity.WARNING,
                f"{split.shared} of {split.held_out} held-out rows are also in the batches that are trained on.",
                evidence={"shared_rows": split.shared, "held_out_rows": split.held_out},
                hint="Split before you repeat, augment or shuffle, and remove duplicates.",
            )
        )
    if split.fitted_together:
        findings.append(
            report_finding(
                f"{CODE}-002",
                Severity.WARNING,
                f"{list_some(split.fitted_together)}: the features have mean 0 and spread 1 over both sets together, "
                "and not over the trained one: they were normalised before the split.",
                evidence={"tensors": len(split.fitted_together)},
                hint="Fit the normalisation on the training set, and apply it to both.",
            )
        )
    return RuleOutput(tuple(findings), {"held_out_rows": split.held_out, "shared_rows": split.shared})


RULE = Rule(CODE, "held-out data", judge_splitting)
