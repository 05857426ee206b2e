"""Add optional arguments to a call: targets that make a model return all positions, and a padding mask."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

import torch
from torch import Tensor, nn

from tierproof.model.call.decoder_tokens import add_decoder_tokens
from tierproof.model.call.forward_signature import ForwardSignature
from tierproof.model.call.input_plan import Argument, InputPlan
from tierproof.model.call.model_probe import ModelProbe
from tierproof.model.call.outputs import OutputPlan
from tierproof.model.call.propose.transformers_inputs import is_transformers_model
from tierproof.model.call.read_outputs import read_outputs

TARGET_NAMES = ("targets", "target", "labels", "y", "tgt_ids")
_KEEP_NAMES = ("attention_mask", "padding_mask", "pad_mask", "input_mask", "mask", "attn_mask")
# By these names nothing else is meant than: 1 where a token is, 0 where it is padding.
_UNMISTAKABLE_NAMES = ("attention_mask", "padding_mask", "input_mask")
_HIDE_NAMES = ("key_padding_mask", "src_key_padding_mask", "padding_mask", "pad_mask", "mask")


def find_target_name(names: Container[str], *, primary: str = "") -> str | None:
    """The first of the usual names of targets that is among `names`; the primary input is none, whatever its name."""
    return next((name for name in TARGET_NAMES if name in names and name != primary), None)


def add_optional_arguments(
    probe: ModelProbe, signature: ForwardSignature, plan: InputPlan, outputs: OutputPlan
) -> tuple[InputPlan, OutputPlan]:
    """Add targets and a padding mask if the model takes them and they are useful for the checks."""
    if not is_transformers_model(probe.model):
        plan, outputs = add_decoder_tokens(probe, signature, plan, outputs)
    plan, outputs = _add_targets(probe, signature, plan, outputs)
    if not is_transformers_model(probe.model):
        plan = _add_padding_mask(probe, signature, plan, outputs)
    return plan, outputs


def _add_targets(
    probe: ModelProbe, signature: ForwardSignature, plan: InputPlan, outputs: OutputPlan
) -> tuple[InputPlan, OutputPlan]:
    """Pass targets to a token model that without them returns only its last position, as nanoGPT does."""
    primary = plan.primary_argument
    if outputs.per_position or primary.role != "tokens" or plan.style == "mapping":
        return plan, outputs
    name = find_target_name(signature.optional)
    if name is None:
        return plan, outputs
    classes = outputs.axes[-1] if outputs.role == "logits" and outputs.axes else None
    highs = dict.fromkeys(
        (min(classes, primary.high) if isinstance(classes, int) else primary.high, primary.high)
    )
    for high in highs:
        targets = Argument(name, "targets", primary.shape, torch.int64, high=high, avoid=primary.avoid)
        extended = replace(plan, arguments=(*plan.arguments, targets), style="keyword")
        try:
            found = read_outputs(probe, extended)
        except Exception:  # noqa: BLE001 - the argument is optional: without it the model works
            continue
        if found.per_position:
            return extended, found
    return plan, outputs


def _add_padding_mask(
    probe: ModelProbe, signature: ForwardSignature, plan: InputPlan, outputs: OutputPlan
) -> InputPlan:
    """Add a padding mask argument if a mask that hides nothing leaves the answer unchanged.

    Masks in which 1 means "keep" are tried before those in which True means "hide". If an argument of an
    unmistakable name changes the answer in every reading, it becomes the plan's `unsound_mask`.
    """
    if plan.padding or plan.style == "mapping" or len(plan.primary_argument.shape) < 2:
        return plan
    apart = isinstance(probe.model, nn.Transformer | nn.TransformerDecoder | nn.TransformerDecoderLayer)
    if apart or "memory_key_padding_mask" in signature.optional:
        return plan  # it hides a source only where its memory is hidden too: no one mask does it
    # An example may have passed one already, read by its name alone: here it is measured.
    masks = [a.name for a in plan.arguments if a.name in signature.optional and a.role.endswith("mask")]
    plan = replace(plan, arguments=tuple(a for a in plan.arguments if a.name not in masks))
    base = _answer(probe, plan, outputs)
    size = plan.primary_argument.shape[plan.length_axis] if plan.has_length else None
    if size is None:
        return plan
    proposals = [(name, "mask", torch.int64) for name in _KEEP_NAMES if name in signature.optional]
    proposals += [(name, "hide_mask", torch.bool) for name in _HIDE_NAMES if name in signature.optional]
    proposals += [(name, "mask", torch.bool) for name in _KEEP_NAMES if name in signature.optional]
    unsound: Argument | None = None
    for name, role, dtype in proposals:
        mask = Argument(name, role, ("batch", size), dtype)
        extended = replace(plan, arguments=(*plan.arguments, mask), style="keyword", padding=name)
        try:
            answer = _answer(probe, extended, outputs)
        except Exception:  # noqa: BLE001 - this reading of the argument is wrong
            continue
        if answer.shape == base.shape and torch.allclose(answer, base, rtol=1e-4, atol=1e-5, equal_nan=True):
            return extended
        if role == "mask" and name in _UNMISTAKABLE_NAMES and answer.shape == base.shape and unsound is None:
            unsound = mask
    return plan if unsound is None else replace(plan, unsound_mask=unsound)


def _answer(probe: ModelProbe, plan: InputPlan, outputs: OutputPlan) -> Tensor:
    return outputs.select(probe.make_call(plan).run(probe.model))
