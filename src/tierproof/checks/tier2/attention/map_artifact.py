"""The maps of the heads beside the report, for its page."""

from __future__ import annotations

from tierproof.analysis.attention.attention_figures import ModelAttention
from tierproof.analysis.attention.attention_maps_capture import USUAL_BYTES, capture_maps
from tierproof.analysis.attention.attention_maps_sprite import make_artifact
from tierproof.analysis.examples.example_set import ExampleSet
from tierproof.checks.check import CheckContext
from tierproof.core.artifact import Artifact


def keep_map_artifact(
    context: CheckContext, examples: ExampleSet, measured: ModelAttention
) -> tuple[Artifact, ...]:
    """The maps as one picture, pooled where they are long; nothing where no time is left for one more pass."""
    if context.deadline.expired:
        return ()
    maps, _ = capture_maps(context.subject, examples, measured, budget_bytes=USUAL_BYTES, seed=context.seed)
    return (make_artifact(maps),) if maps.kept else ()
