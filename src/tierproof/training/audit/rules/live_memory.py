"""T3-GROW, memory: nothing that a step makes is still alive many steps later.

What it does: counts the tensors that are alive after each of several steps.

Why it matters: a loss that is added to a list or a sum with its graph keeps the activations of every step; after some
hundred steps the memory is full.

Evidence: tensors with a graph, and bytes, after each step.

Exemptions: the first steps, in which the optimizer makes its state.

Findings:
    T3-GROW-001 error: each step leaves a tensor with its graph alive.
    T3-GROW-002 warning: each step leaves more bytes of tensors alive.

Source: the PyTorch FAQ, "My model reports out of memory".
"""

from __future__ import annotations

from itertools import pairwise

from tierproof.core.finding import Severity
from tierproof.training.audit.recording.step_event import EventKind
from tierproof.training.audit.rules.rule import Rule, RuleOutput, report_finding
from tierproof.training.audit.trials.audit_evidence import AuditEvidence

CODE = "T3-GROW"
_LEAST_STEPS = 4


def judge_live_memory(evidence: AuditEvidence) -> RuleOutput:
    """Judge what stays alive from step to step; see the module's docstring."""
    ends = [record for record in evidence.plain if record.updates] or list(evidence.plain)
    later = ends[1:]
    if len(later) < _LEAST_STEPS - 1:
        return RuleOutput(skipped="too few steps were run")
    graphs = [record.live_graphs for record in later]
    sizes = [record.live_bytes for record in later]
    measurements = {"live_graphs": graphs, "live_bytes": sizes}
    graphs_grow = [b - a for a, b in pairwise(graphs)]
    bytes_grow = [b - a for a, b in pairwise(sizes)]
    line = evidence.plain[-1].find_line(EventKind.LOSS, EventKind.BACKWARD, EventKind.FORWARD)
    if min(graphs_grow) >= 1:
        finding = report_finding(
            f"{CODE}-001",
            Severity.ERROR,
            f"Each step leaves {min(graphs_grow)} more tensor{'s' if min(graphs_grow) > 1 else ''} with a graph alive: "
            "memory grows until it is full.",
            line=line,
            evidence={"tensors_per_step": min(graphs_grow), "bytes_per_step": min(bytes_grow)},
            hint="Keep loss.item() or loss.detach() in lists and sums, not the loss itself.",
        )
        return RuleOutput((finding,), measurements)
    if min(bytes_grow) > 0:
        finding = report_finding(
            f"{CODE}-002",
            Severity.WARNING,
            f"Each step leaves {min(bytes_grow)} more bytes of tensors alive.",
            evidence={"bytes_per_step": min(bytes_grow)},
            hint="Look for lists that keep outputs or batches; keep numbers, or move them off the device.",
        )
        return RuleOutput((finding,), measurements)
    return RuleOutput((), measurements)


RULE = Rule(CODE, "memory", judge_live_memory)
