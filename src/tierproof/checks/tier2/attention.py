"""T2-ATTENTION, attention: what each head attends to, on the examples or on random tokens that repeat."""

from __future__ import annotations

from tierproof.analysis.attention.measure_attention import measure_attention
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.checks.check import Check, CheckContext, CheckOutput

CODE = "T2-ATTENTION"


def check_attention(context: CheckContext) -> CheckOutput:
    """Measure every head; see the module's docstring."""
    subject = context.subject
    measured = measure_attention(
        subject, read_examples(subject, context.examples, context.seed), seed=context.seed
    )
    if not measured.patterns:
        return CheckOutput(skipped="no attention was recognised in the forward pass")
    return CheckOutput((), measured)


CHECK = Check(CODE, "attention", 2, check_attention, cost_steps=2.0, value=90)
