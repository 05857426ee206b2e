"""T2-ATTENTION, attention: what each head attends to, on the examples or on random tokens that repeat."""

from __future__ import annotations

from tierproof.analysis.attention.attention_figures import ModelAttention
from tierproof.analysis.attention.attention_maps_capture import USUAL_BYTES, capture_maps
from tierproof.analysis.attention.attention_maps_sprite import make_artifact
from tierproof.analysis.attention.measure_attention import measure_attention
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.analysis.examples.read_examples import read_examples
from tierproof.checks.check import Check, CheckContext, CheckOutput
from tierproof.core.artifact import Artifact

CODE = "T2-ATTENTION"


def check_attention(context: CheckContext) -> CheckOutput:
    """Measure every head; see the module's docstring."""
    subject = context.subject
    examples = read_examples(subject, context.examples, context.seed)
    measured = measure_attention(subject, examples, seed=context.seed)
    if not measured.patterns:
        return CheckOutput(skipped="no attention was recognised in the forward pass")
    return CheckOutput((), measured, artifacts=_keep_maps(context, examples, measured))


def _keep_maps(context: CheckContext, examples: ExampleSet, measured: ModelAttention) -> tuple[Artifact, ...]:
    """The maps for the page of the report, where there is time for one more pass."""
    if context.deadline.expired:
        return ()
    maps = capture_maps(context.subject, examples, measured, budget_bytes=USUAL_BYTES, seed=context.seed)
    return (make_artifact(maps),) if maps.kept else ()


CHECK = Check(CODE, "attention", 2, check_attention, cost_steps=2.0, value=90)
