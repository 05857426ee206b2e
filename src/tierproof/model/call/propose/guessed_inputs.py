"""Guess the inputs of any module from its signature and its first layers."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from tierproof.model.call.forward_signature import ForwardSignature
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.propose.mixed_inputs import propose_mixed_inputs
from tierproof.model.call.solve.example_plans import propose_example_inputs
from tierproof.model.call.solve.parameter import read_parameters
from tierproof.model.call.solve.parameter_choices import propose_declared_inputs
from tierproof.model.call.spec import ModelSpec

_TOKEN_NAME = re.compile(r"(^|_)(ids?|idx|tokens?|indices|input_ids)$|token", re.IGNORECASE)
_IMAGE_NAME = re.compile(r"pixel|image|img|picture|frame|video|clip", re.IGNORECASE)
# Sound and spectra have their channels before their length.
_SOUND_NAME = re.compile(
    r"audio|^wavs?$|wave(form)?s?$|speech|sound|signal|^mix(ture)?$|pcm|mels?$|spec(trogram)?s?$",
    re.IGNORECASE,
)
# Frames of a video; the first is what most strides divide, and no usual number of channels.
_ASSUMED_FRAMES = (20, 16, 8, 32)
# Small ones first: some windows are seven wide, and five halvings of them need 224.
# Attributes, of the model or its config, that give the height and width of an image.
IMAGE_SIZE_NAMES = ("image_size", "img_size", "input_size", "sample_size", "resolution")
_ASSUMED_IMAGE_SIZES = (32, 28, 64, 56, 112, 224, 96, 128, 256, 384)


def propose_guessed_inputs(
    model: nn.Module, signature: ForwardSignature, spec: ModelSpec
) -> Iterator[InputPlan]:
    """Propose input plans, the most likely first; the caller keeps the first that runs.

    Token ids are first drawn from {0, 1}: the table in which a trial run looks them up then shows the vocabulary.
    """
    names = signature.required or signature.optional[:1] or ("x",)
    if signature.variadic:
        names = ("x",)
    style = "positional" if signature.variadic or not signature.required else "keyword"
    dtype = _floating_dtype(model)
    shapes = [
        (role, shape, (assumption,) if assumption else ())
        for role in _order_roles(model, names[0])
        for shape, assumption in _propose_shapes(role, model, spec, names[0])
    ]
    examples = propose_example_inputs(
        model, signature, dtype=dtype, vocab_size=spec.vocab_size, pad_token_id=spec.pad_token_id
    )
    for plan in examples:
        yield from _fit_widths(model, plan)
    yield from propose_declared_inputs(
        model,
        read_parameters(model),
        shapes,
        dtype=dtype,
        vocab_size=spec.vocab_size,
        pad_token_id=spec.pad_token_id,
    )
    yield from propose_mixed_inputs(names, shapes, dtype=dtype, vocab_size=spec.vocab_size)
    for role, shape, assumptions in shapes:
        arguments = tuple(
            _make_argument(name, index, role, shape, spec, dtype) for index, name in enumerate(names)
        )
        yield InputPlan(arguments, names[0], style, assumptions=assumptions, pad_token_id=spec.pad_token_id)
    if len(names) > 1:
        return
    for role, shape, assumptions in shapes:
        key = {"tokens": "input_ids", "image": "pixel_values"}.get(role, "x")
        argument = _make_argument(key, 0, role, shape, spec, dtype)
        yield InputPlan((argument,), key, "mapping", assumptions=assumptions, pad_token_id=spec.pad_token_id)


def _fit_widths(model: nn.Module, plan: InputPlan) -> Iterator[InputPlan]:
    """An example, and the same with the widths of this model: the example may be of another instance of its class."""
    yield plan
    for width in list(dict.fromkeys(_iterate_widths(model)))[:2]:
        arguments = tuple(
            replace(a, shape=(*a.shape[:-1], width))
            if a.role == "floats" and len(a.shape) > 2 and isinstance(a.shape[-1], int)
            else a
            for a in plan.arguments
        )
        if arguments != plan.arguments:
            yield replace(plan, arguments=arguments)


def _make_argument(
    name: str, index: int, role: str, shape: tuple[str | int, ...], spec: ModelSpec, dtype: torch.dtype
) -> Argument:
    if index == 1:
        shape = tuple(TARGET_LENGTH if size == LENGTH else size for size in shape)
    if role == "tokens":
        return Argument(name, role, shape, torch.int64, high=spec.vocab_size or 2)
    return Argument(name, role, shape, dtype)


def _floating_dtype(model: nn.Module) -> torch.dtype:
    for parameter in model.parameters():
        if parameter.dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
            return parameter.dtype
    return torch.float32


def _order_roles(model: nn.Module, name: str) -> list[str]:
    """Order the roles by the argument's name, then by what kind of layer comes first."""
    first = next((m for m in model.modules() if _layer_role(m)), None)
    order = [role] if first is not None and (role := _layer_role(first)) else []
    kinds = [_layer_role(module) for module in model.modules()]
    order += [role for role in ("tokens", "image", "floats") if role in kinds and role not in order]
    order += [role for role in ("floats", "tokens", "image") if role not in order]
    hinted = next(
        (
            role
            for pattern, role in ((_TOKEN_NAME, "tokens"), (_IMAGE_NAME, "image"), (_SOUND_NAME, "floats"))
            if pattern.search(name)
        ),
        "",
    )
    if hinted:
        order = [hinted, *(role for role in order if role != hinted)]
    elif "tokens" in kinds and order[0] != "tokens":
        order = ["tokens", *(role for role in order if role != "tokens")]
    return order


def _layer_role(module: nn.Module) -> str:
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        return "tokens"
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        return "image"
    if isinstance(module, nn.Linear | nn.RNNBase | nn.Conv1d | nn.MultiheadAttention):
        return "floats"
    return ""


def _propose_shapes(
    role: str, model: nn.Module, spec: ModelSpec, name: str
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if role == "tokens":
        yield (BATCH, LENGTH), ""
    elif role == "image":
        yield from _propose_image_shapes(model, spec)
    elif _SOUND_NAME.search(name):
        shapes = list(_propose_float_shapes(model, spec))
        yield from sorted(shapes, key=lambda proposal: proposal[0][-1] != LENGTH)
    else:
        yield from _propose_float_shapes(model, spec)


def _propose_float_shapes(model: nn.Module, spec: ModelSpec) -> Iterator[tuple[tuple[str | int, ...], str]]:
    widths = [spec.features] if spec.features else list(dict.fromkeys(_iterate_widths(model)))[:4]
    for width in widths:
        yield (BATCH, LENGTH, width), ""
    for channels in [spec.channels] if spec.channels else list(dict.fromkeys(_iterate_channels(model)))[:2]:
        yield (BATCH, channels, LENGTH), ""
    for length in _find_fixed_lengths(model):
        for width in widths:
            yield (BATCH, length, width), ""
    for width in widths:
        yield (BATCH, width), ""
    yield (BATCH, LENGTH), ""


def _iterate_widths(model: nn.Module) -> Iterator[int]:
    for path, parameter in model.named_parameters(recurse=False):
        if "pos" in path.lower() and parameter.dim() in (2, 3):
            yield parameter.shape[-1]
    for module in model.modules():
        if isinstance(module, nn.Linear):
            yield module.in_features
        elif isinstance(module, nn.RNNBase):
            yield module.input_size
        elif isinstance(module, nn.MultiheadAttention):
            yield module.embed_dim
        elif isinstance(module, nn.LayerNorm):
            yield int(module.normalized_shape[-1])
        elif isinstance(module, nn.Conv1d):
            yield module.in_channels


def _iterate_channels(model: nn.Module) -> Iterator[int]:
    for module in model.modules():
        if isinstance(module, nn.Conv1d):
            yield module.in_channels


def _find_fixed_lengths(model: nn.Module) -> list[int]:
    """Lengths that a position parameter of shape (1, L, D) or (L, D) insists on."""
    return list(
        dict.fromkeys(
            parameter.shape[-2]
            for path, parameter in model.named_parameters()
            if "pos" in path.lower() and parameter.dim() in (2, 3) and parameter.shape[-2] > 1
        )
    )[:2]


def _propose_image_shapes(model: nn.Module, spec: ModelSpec) -> Iterator[tuple[tuple[str | int, ...], str]]:
    yield from _propose_video_shapes(model, spec)
    channels = spec.channels or find_image_channels(model)
    sizes = [spec.image_size] if spec.image_size else find_image_sizes(model)
    for height, width in sizes:
        for count in [channels] if channels else (3, 1):
            note = (
                ""
                if channels
                else f"assumed {count} image channels; set `ModelSpec(channels=…)` to change this"
            )
            yield (BATCH, count, height, width), note
    if spec.image_size is None:
        for side, count in itertools.product(_ASSUMED_IMAGE_SIZES, [channels] if channels else (3, 1)):
            note = f"assumed image size {side} × {side}; set `ModelSpec(image_size=…)` to change this"
            yield (BATCH, count, side, side), note


def _propose_video_shapes(model: nn.Module, spec: ModelSpec) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Channels, frames, height and width, as the first three-dimensional convolution takes them."""
    stem = next((m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Conv3d)), None)
    if not isinstance(stem, nn.Conv3d):
        return
    sizes = (
        [spec.image_size] if spec.image_size else [*find_image_sizes(model), (32, 32), (64, 64), (224, 224)]
    )
    for frames, (height, width) in itertools.product(_ASSUMED_FRAMES, sizes):
        note = f"assumed {frames} frames of {height} × {width}; pass `inputs=…` to change this"
        yield (BATCH, stem.in_channels, frames, height, width), note


def find_image_channels(model: nn.Module) -> int | None:
    """The input channels of the first 2-D convolution; None if there is none."""
    return next((m.in_channels for m in model.modules() if isinstance(m, nn.Conv2d)), None)


def find_image_sizes(model: nn.Module) -> list[tuple[int, int]]:
    """Heights and widths that attributes, a config or a table of positions give."""
    sizes: list[tuple[int, int]] = []
    for holder in (getattr(model, "config", None), *model.modules()):
        for name in IMAGE_SIZE_NAMES:
            value: Any = getattr(holder, name, None)
            if isinstance(value, int) and not isinstance(value, bool) and value > 1:
                sizes.append((value, value))
            elif (
                isinstance(value, tuple | list) and len(value) >= 2 and all(isinstance(v, int) for v in value)
            ):
                sizes.append((value[-2], value[-1]))
    sizes += _sizes_from_patches(model)
    return list(dict.fromkeys(sizes))


def _sizes_from_patches(model: nn.Module) -> list[tuple[int, int]]:
    """A patch convolution and a table of N (or N + 1) positions fix the image: side = √N · patch."""
    stem = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if stem is None:
        return []
    found = []
    tables = [
        (path, p.shape[-2])
        for path, p in model.named_parameters()
        if p.dim() in (2, 3) and "pos" in path.lower()
    ]
    for (_, rows), extra in itertools.product(tables, (1, 0, 2)):
        side = math.isqrt(max(rows - extra, 0))
        if side > 0 and side * side == rows - extra:
            found.append((side * int(stem.stride[0]), side * int(stem.stride[1])))
    return found
