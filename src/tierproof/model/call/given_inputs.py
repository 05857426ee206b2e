"""Plan calls from sample inputs that the user gave: a tensor, tuple, mapping, or a function that returns one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tierproof.model.call.forward_signature import ForwardSignature
from tierproof.model.call.inputs import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.spec import ModelSpec
from tierproof.model.load.input_error import InputError


def plan_given_inputs(given: Any, signature: ForwardSignature, spec: ModelSpec) -> InputPlan:
    """Build an input plan from sample inputs; inputs of other sizes reuse the sample's values.

    The first axis of the first tensor is the batch. Its second axis is the length if the tensor holds integers or
    has three axes.

    Raises:
        InputError: when `given` contains no tensor, or a mapping's keys are not arguments of the forward pass.
    """
    if callable(given) and not isinstance(given, Tensor):
        given = given()
    style, values = _name_values(given, signature)
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    if not tensors:
        raise InputError(
            f"the given inputs contain no tensor: {type(given).__name__}",
            hint="Pass a tensor, a tuple or dict of tensors, or a function that returns one of them.",
        )
    primary = next(iter(tensors))
    sizes = _name_sizes(tensors[primary])
    arguments = tuple(_make_argument(name, tensor, sizes, spec) for name, tensor in tensors.items())
    shape = tensors[primary].shape
    padding = next((a.name for a in arguments if a.role in ("mask", "hide_mask")), "")
    return InputPlan(
        arguments=arguments,
        primary=primary,
        style=style,
        default_batch=shape[0] if shape else 1,
        default_length=shape[1] if LENGTH in sizes.values() else 16,
        constants={name: value for name, value in values.items() if not isinstance(value, Tensor)},
        padding=padding,
        pad_token_id=spec.pad_token_id,
    )


def _name_values(given: Any, signature: ForwardSignature) -> tuple[str, dict[str, Any]]:
    if isinstance(given, Mapping):
        names = [str(name) for name in given]
        if all(name in signature for name in names):
            return "keyword", dict(zip(names, given.values(), strict=True))
        if len(signature.required) == 1:
            return "mapping", dict(zip(names, given.values(), strict=True))
        unknown = next(name for name in names if name not in signature)
        raise InputError(
            f"the given inputs name {unknown!r}, which is not an argument of the forward pass",
            hint=f"Use its argument names: {', '.join(signature.names)}.",
        )
    values = list(given) if isinstance(given, tuple | list) else [given]
    names = list(signature.names[: len(values)])
    names += [f"argument_{index}" for index in range(len(names), len(values))]
    return "positional", dict(zip(names, values, strict=True))


def _name_sizes(primary: Tensor) -> dict[int, str]:
    """Map the primary tensor's sizes to what they stand for: {2: "batch", 16: "length"}."""
    if primary.dim() == 0:
        return {}
    sizes = {}
    if primary.dim() in (2, 3) and (not primary.is_floating_point() or primary.dim() == 3):
        sizes[primary.shape[1]] = LENGTH
    sizes[primary.shape[0]] = BATCH
    return sizes


def _make_argument(name: str, tensor: Tensor, sizes: dict[int, str], spec: ModelSpec) -> Argument:
    shape: list[str | int] = list(tensor.shape)
    if shape and sizes.get(tensor.shape[0]) == BATCH:
        shape[0] = BATCH
    if tensor.dim() >= 2 and len(sizes) == 2:
        if sizes.get(tensor.shape[1]) == LENGTH:
            shape[1] = LENGTH
        elif not tensor.is_floating_point() and shape[0] == BATCH:
            shape[1] = TARGET_LENGTH
    if tensor.dtype == torch.bool or "mask" in name.lower():
        hides = tensor.dtype == torch.bool and "key_padding" in name
        return Argument(name, "hide_mask" if hides else "mask", tuple(shape), tensor.dtype, sample=tensor)
    if tensor.is_floating_point():
        role = "image" if tensor.dim() == 4 else "floats"
        return Argument(name, role, tuple(shape), tensor.dtype, sample=tensor)
    high = spec.vocab_size or (int(tensor.max()) + 1 if tensor.numel() else 2)
    return Argument(name, "tokens", tuple(shape), tensor.dtype, high=high, sample=tensor)
