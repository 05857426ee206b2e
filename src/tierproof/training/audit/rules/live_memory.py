"""T3-GROW, memory: nothing that a step makes is still alive many steps later.

What it does: counts the tensors that are alive after each of several steps, and the nodes of the graphs behind them.

Why it matters: a loss that is added to a list or a sum with its graph keeps the activations of every step; after some
hundred steps the memory is full.

Evidence: nodes of graphs, and bytes, after each step; where they grow, after each of several steps on one batch.

Exemptions: the first steps, in which the optimizer makes its state.

Findings:
    T3-GROW-001 error: each step leaves a part of a graph alive.
    T3-GROW-002 warning: each step leaves more bytes of tensors alive.

Source: the PyTorch FAQ, "My model reports out of memory".
"""

from __future__ import annotations

from itertools import pairwise

from tierproof.core.finding import Finding, Severity
from tierproof.training.audit.rules.rule import Rule, RuleOutput, report_finding
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-GROW"
_LEAST_STEPS = 4
_MOST_HOLDERS = 3


def judge_live_memory(evidence: AuditEvidence) -> RuleOutput:
    """Judge what stays alive from step to step; see the module's docstring."""
    later = [record for record in evidence.plain if record.updates][1:]
    if len(later) < _LEAST_STEPS - 1:
        return RuleOutput(skipped="too few steps were run")
    measurements = {
        "live_graph_nodes": [record.live_nodes for record in later],
        "live_bytes": [record.live_bytes for record in later],
    }
    trial = evidence.growth
    if trial is None:
        return RuleOutput((), measurements)
    steps = list(pairwise(trial.records))
    nodes = min(after.live_nodes - before.live_nodes for before, after in steps)
    size = min(after.live_bytes - before.live_bytes for before, after in steps)
    held = f" ({', '.join(trial.holders[:_MOST_HOLDERS])} may hold them)" if trial.holders else ""
    line = evidence.plain[-1].find_loss_line()
    findings: list[Finding] = []
    if nodes > 0:
        finding = report_finding(
            f"{CODE}-001",
            Severity.ERROR,
            f"Each step leaves {nodes} more nodes of an autograd graph alive{held}: memory grows until it is full.",
            line=line,
            evidence={"nodes_per_step": nodes, "bytes_per_step": size},
            hint="Keep loss.item() or loss.detach() in lists and sums, not the loss itself.",
        )
        findings.append(finding)
    elif size > 0:
        finding = report_finding(
            f"{CODE}-002",
            Severity.WARNING,
            f"Each step leaves {size} more bytes of tensors alive{held}.",
            evidence={"bytes_per_step": size},
            hint="Look for lists that keep outputs or batches; keep numbers, or move them off the device.",
        )
        findings.append(finding)
    return RuleOutput(tuple(findings), measurements)


RULE = Rule(CODE, "memory", judge_live_memory)
