"""Judge recorded steps by every rule, and make results of them as a check's."""

from __future__ import annotations

import importlib
import time
from dataclasses import replace

from tierproof.core.check_result import CheckResult, Outcome
from tierproof.core.finding import Finding, Severity
from tierproof.core.standing import Fact, Standing
from tierproof.training.audit.rules.rule import Rule
from tierproof.training.audit.rules.rule_names import RULE_MODULES
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

_TIER = 3


def load_rules() -> tuple[Rule, ...]:
    """Import every rule, in the order in which their results are shown."""
    return tuple(importlib.import_module(name).RULE for name in RULE_MODULES)


def judge_step(evidence: AuditEvidence) -> tuple[CheckResult, ...]:
    """One result for each rule. A rule that crashes is `errored`, with the exception in its reason."""
    grounds = tuple(fact for fact in evidence.facts if fact.name in ("model", "optimizer"))
    return tuple(_judge(rule, evidence, grounds) for rule in load_rules())


def _judge(rule: Rule, evidence: AuditEvidence, grounds: tuple[Fact, ...]) -> CheckResult:
    started = time.perf_counter()
    try:
        output = rule.judge(evidence)
    except Exception as error:  # noqa: BLE001 - reported as errored, never as a pass
        return CheckResult(
            rule.code,
            rule.name,
            _TIER,
            Outcome.ERRORED,
            reason=f"the rule crashed: {type(error).__name__}: {error}",
            duration_s=time.perf_counter() - started,
        )
    order = list(Severity)
    findings = tuple(
        sorted(
            (_conclude(each, grounds) for each in output.findings),
            key=lambda each: order.index(each.severity),
        )
    )
    failed = any(each.severity is Severity.ERROR for each in findings)
    return CheckResult(
        rule.code,
        rule.name,
        _TIER,
        Outcome.FAILED if failed else Outcome.SKIPPED if output.skipped else Outcome.PASSED,
        reason=output.skipped,
        duration_s=time.perf_counter() - started,
        measurements=output.measurements,
        findings=findings,
    )


def _conclude(finding: Finding, grounds: tuple[Fact, ...]) -> Finding:
    """An error names the facts it rests on; one that rests on an assumption becomes a warning."""
    if finding.severity is not Severity.ERROR:
        return finding
    assumed = any(fact.standing is Standing.ASSUMED for fact in grounds)
    return replace(finding, rests_on=grounds, severity=Severity.WARNING if assumed else Severity.ERROR)
