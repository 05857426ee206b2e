"""The traits that checks can need, and how a subject shows that it has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tierproof.checks.check import Check
from tierproof.model.call.input_plan import BATCH
from tierproof.model.describe.subject import Subject

# Packages whose layers compute in integers, with a scale that all activations share.
_QUANTISED = (
    "torch.ao.nn.quantized",
    "torch.ao.nn.intrinsic.quantized",
    "torch.nn.quantized",
    "bitsandbytes",
)


@dataclass(frozen=True)
class NeededTrait:
    """One trait.

    Attributes:
        meaning: in words, for the documentation.
        lacking: why a check is skipped without it, for the report.
        is_met: reads it off a subject, without running the model.
    """

    meaning: str
    lacking: str
    is_met: Callable[[Subject], bool]


def _has_values(subject: Subject) -> bool:
    return not any(parameter.is_meta for parameter in subject.model.parameters())


def _is_trainable(subject: Subject) -> bool:
    return any(parameter.requires_grad for parameter in subject.model.parameters())


def _is_exact(subject: Subject) -> bool:
    kinds = {type(module).__module__ for module in subject.model.modules()}
    return not any(kind.startswith(_QUANTISED) for kind in kinds)


NEEDED_TRAITS = {
    "parameter values": NeededTrait(
        "the parameters hold values; parameters on the meta device have none",
        "parameters are on the meta device, without values",
        _has_values,
    ),
    "trainable parameters": NeededTrait(
        "at least one parameter requires a gradient", "no parameter requires a gradient", _is_trainable
    ),
    "unquantised layers": NeededTrait(
        "no layer is quantised: quantised layers share one scale between positions and have no useful gradient",
        "layers are quantised: all activations share one scale, which makes rows and positions depend on each "
        "other, and they pass no gradients",
        _is_exact,
    ),
    "encoder-decoder": NeededTrait(
        "the model encodes one input and decodes another",
        "the model is not an encoder-decoder",
        lambda subject: subject.traits.encoder_decoder,
    ),
    "batch axis": NeededTrait(
        "at least one input has a batch axis",
        "the inputs have no batch axis",
        lambda subject: any(BATCH in argument.shape for argument in subject.inputs.arguments),
    ),
}


def find_lacking(check: Check, subject: Subject) -> str:
    """Why the subject lacks what the check needs, with the trait's name; empty where it lacks nothing."""
    for word in check.needs:
        trait = NEEDED_TRAITS[word]
        if not trait.is_met(subject):
            return trait.lacking if word in trait.lacking else f"{trait.lacking} (the check needs {word})"
    return ""
