"""Plan calls from sample inputs that the user gave: a tensor, tuple, mapping, or a function that returns one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tierproof.model.call.forward_signature import ForwardSignature
from tierproof.model.call.input_plan import Argument, InputPlan
from tierproof.model.call.layout import Slot, unpack_value
from tierproof.model.call.spec import ModelSpec
from tierproof.model.load.input_error import InputError


def plan_given_inputs(given: Any, signature: ForwardSignature, spec: ModelSpec) -> InputPlan:
    """Build an input plan that makes exactly the given inputs; `find_varied_axes` frees what may vary.

    Raises:
        InputError: when `given` contains no tensor, or a mapping's keys are not arguments of the forward pass.
    """
    if callable(given) and not isinstance(given, Tensor):
        given = given()
    style, values = _name_values(given, signature)
    layout: dict[str, Any] = {}
    tensors: dict[str, Tensor] = {}
    for name, value in values.items():
        layout[name], found = unpack_value(name, value)
        tensors |= found
    if not tensors:
        raise InputError(
            f"the given inputs contain no tensor: {type(given).__name__}",
            hint="Pass a tensor, a tuple or dict of tensors, or a function that returns one of them.",
        )
    inner = {name for name in tensors if name not in values}
    arguments = tuple(_make_argument(n, tensor, spec, inner=n in inner) for n, tensor in tensors.items())
    primary = next((a for a in arguments if a.role in _VALUE_ROLES), arguments[0])
    padding = next((a.name for a in arguments if a.role in ("mask", "hide_mask")), "")
    plain = style != "positional" and not inner
    return InputPlan(
        arguments=arguments,
        primary=primary.name,
        style=style,
        default_batch=primary.shape[0] if primary.shape else 1,  # type: ignore[arg-type]
        constants={n: value for n, value in layout.items() if not isinstance(value, Slot)} if plain else {},
        layout={} if plain or all(isinstance(value, Slot) for value in layout.values()) else layout,
        padding=padding,
        pad_token_id=spec.pad_token_id,
    )


_VALUE_ROLES = ("tokens", "floats", "image")


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


def _make_argument(name: str, tensor: Tensor, spec: ModelSpec, *, inner: bool) -> Argument:
    shape = tuple(tensor.shape)
    if tensor.dtype == torch.bool or "mask" in name.lower():
        hides = tensor.dtype == torch.bool and "key_padding" in name
        return Argument(name, "hide_mask" if hides else "mask", shape, tensor.dtype, sample=tensor)
    if tensor.is_floating_point():
        role = "state" if inner else "image" if tensor.dim() == 4 else "floats"
        return Argument(name, role, shape, tensor.dtype, sample=tensor)
    if "len" in name.lower() and tensor.dim() == 1:
        return Argument(name, "lengths", shape, tensor.dtype, sample=tensor)
    high = spec.vocab_size or (int(tensor.max()) + 1 if tensor.numel() else 2)
    return Argument(name, "tokens", shape, tensor.dtype, high=high, sample=tensor)
