"""Add the optional tokens of a decoder to a call: without them the model makes them of another argument."""

from __future__ import annotations

from dataclasses import replace

import torch

from tierproof.core.standing import Standing
from tierproof.model.call.forward_signature import ForwardSignature
from tierproof.model.call.input_plan import LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.outputs import OutputPlan
from tierproof.model.call.read_outputs import read_outputs

_NAMES = ("decoder_input_ids", "decoder_inputs", "decoder_ids", "tgt", "tgt_ids", "trg", "target_ids")


def add_decoder_tokens(
    probe: ModelProbe, signature: ForwardSignature, plan: InputPlan, outputs: OutputPlan
) -> tuple[InputPlan, OutputPlan]:
    """Pass the decoder's own tokens if the model takes them and the answer follows their length.

    Without them, an encoder-decoder makes them of its targets or its source, and its answers at a position would seem
    to depend on later inputs.
    """
    primary = plan.primary_argument
    single = len(plan.arguments) == 1 and primary.role == "tokens" and primary.sample is None
    if not single or plan.style == "mapping" or LENGTH not in primary.shape:
        return plan, outputs
    shape = tuple(TARGET_LENGTH if size == LENGTH else size for size in primary.shape)
    for name in _NAMES:
        if name not in signature.optional:
            continue
        tokens = Argument(
            name,
            "tokens",
            shape,
            torch.int64,
            high=primary.high,
            avoid=primary.avoid,
            standing=Standing.MEASURED,
            source="the output follows its length",
        )
        extended = replace(plan, arguments=(*plan.arguments, tokens), style="keyword")
        try:
            found = read_outputs(probe, extended)
        except Exception:  # noqa: BLE001 - the argument is optional: without it the model works
            continue
        if TARGET_LENGTH in found.axes:
            return extended, found
    return plan, outputs
