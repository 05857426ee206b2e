"""The layout of inputs and outputs: two sequences, pooling, and the stem that reads images or sound."""

from __future__ import annotations

from typing import Any

from torch import nn

from tierproof.core.report import TraitEvidence
from tierproof.model.call.input_plan import InputPlan
from tierproof.model.call.outputs import OutputPlan
from tierproof.model.observe.forward_census import ForwardCensus


def describe_encoder_decoder(model: nn.Module, inputs: InputPlan, is_one: bool) -> TraitEvidence | None:
    """Describe an encoder-decoder: the config's flag, and the arguments that are encoded and decoded."""
    if not is_one:
        return None
    config: Any = getattr(model, "config", None)
    flag = getattr(config, "is_encoder_decoder", None)
    said = f"config.is_encoder_decoder={flag}" if isinstance(flag, bool) else ""
    names = [a.name for a in inputs.arguments if a.role not in ("mask", "hide_mask", "targets")]
    return TraitEvidence("encoder-decoder", said, f"it takes {' and '.join(names[:3])}")


def describe_pooling(model: nn.Module, outputs: OutputPlan) -> TraitEvidence | None:
    """Describe an output that has no length axis."""
    if outputs.per_position:
        return None
    name = type(model).__name__
    said = f"the class name {name}" if "Classif" in name or "Pool" in name else ""
    axes = " × ".join(str(axis) for axis in outputs.axes) or "one number"
    return TraitEvidence("pooled", said, f"the output is {axes}")


def describe_stem(model: nn.Module, inputs: InputPlan, census: ForwardCensus) -> TraitEvidence | None:
    """Describe the first convolution that runs on an image or on sound."""
    if inputs.primary_argument.role not in ("image", "audio"):
        return None
    modules = dict(model.named_modules())
    for path in census.entered:
        module = modules.get(path)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            kind = "patches" if module.stride == module.kernel_size else "a convolution"
            sizes = f"kernel {_join(module.kernel_size)}, stride {_join(module.stride)}"
            return TraitEvidence(
                f"{inputs.primary_argument.role} stem", f"{path}: {kind}, {sizes}", "it runs first"
            )
    return TraitEvidence(f"{inputs.primary_argument.role} stem", "", "no convolution ran")


def _join(sizes: Any) -> str:
    return "×".join(str(size) for size in sizes)
