"""Collect the evidence for all traits, declared and measured, in the order of the report."""

from __future__ import annotations

from torch import nn

from tierproof.core.report import TraitEvidence
from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.outputs import OutputPlan
from tierproof.model.describe.evidence.attention import describe_attention
from tierproof.model.describe.evidence.experts import describe_experts
from tierproof.model.describe.evidence.layout import describe_encoder_decoder, describe_pooling, describe_stem
from tierproof.model.describe.evidence.norms import describe_norms
from tierproof.model.describe.evidence.positions import describe_positions
from tierproof.model.describe.evidence.recurrence import describe_cache, describe_recurrence
from tierproof.model.describe.evidence.ties import describe_ties
from tierproof.model.observe.forward_census import ForwardCensus
from tierproof.model.observe.lookup_probe import Lookups


def describe_model(
    model: nn.Module, census: ForwardCensus, lookups: Lookups, *, positions: str, recurrent: bool, cache: bool
) -> tuple[TraitEvidence, ...]:
    """Describe the model's parts: positions, norms, attention, experts, recurrence, cache, ties."""
    described = (
        describe_positions(model, positions, lookups, census),
        describe_norms(model, census),
        describe_attention(model, census),
        describe_experts(model, census),
        describe_recurrence(model, recurrent, census),
        describe_cache(model, cache),
        describe_ties(model),
    )
    return tuple(item for item in described if item is not None)


def describe_layout(
    model: nn.Module, census: ForwardCensus, inputs: InputPlan, outputs: OutputPlan, *, encoder_decoder: bool
) -> tuple[TraitEvidence, ...]:
    """Describe its inputs and outputs: two sequences, pooling, the stem for images or sound."""
    described = (
        describe_encoder_decoder(model, inputs, encoder_decoder),
        describe_pooling(model, outputs),
        describe_stem(model, inputs, census),
    )
    return tuple(item for item in described if item is not None)
