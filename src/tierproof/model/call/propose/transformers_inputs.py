"""Plan the inputs of transformers models from their config and `main_input_name`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from tierproof.core.standing import Standing
from tierproof.model.call.forward_signature import ForwardSignature
from tierproof.model.call.input_plan import BATCH, LENGTH, TARGET_LENGTH, Argument, InputPlan
from tierproof.model.call.spec import ModelSpec

# Arguments whose meaning transformers fixes, so that the config says what they hold.
_KNOWN = frozenset({
    "input_ids", "attention_mask", "decoder_input_ids", "pixel_values", "input_features", "input_values",
    "past_values",
})  # fmt: skip


def is_transformers_model(model: nn.Module) -> bool:
    """Whether the model carries a transformers config (without importing transformers)."""
    config = getattr(model, "config", None)
    return hasattr(config, "model_type") and hasattr(model, "main_input_name")


def propose_transformers_inputs(
    model: nn.Module, signature: ForwardSignature, spec: ModelSpec
) -> Iterator[InputPlan]:
    """Propose input plans, the most likely first: main input alone, with its decoder, with its image."""
    config: Any = model.config
    main = str(model.main_input_name)
    constants = {"use_cache": False} if "use_cache" in signature else {}
    decoder = _decoder_arguments(model, signature, spec)
    for arguments in _main_arguments(main, model, signature, spec):
        primary = arguments[0].name
        if decoder and LENGTH not in arguments[0].shape:
            # The answer follows the decoder; the encoder's input has a fixed size here.
            follower = [_rename_length(argument) for argument in decoder]
            yield _plan((*arguments, *follower), follower[0].name, constants, model, spec)
        yield _plan((*arguments, *decoder), primary, constants, model, spec)
        if main == "input_ids" and "pixel_values" in signature and hasattr(config, "vision_config"):
            image = _image_argument(config, spec)
            yield _plan((*arguments, image, *decoder), primary, constants, model, spec)
    if main != "input_ids" and "input_ids" in signature:
        tokens = _token_arguments("input_ids", "attention_mask", LENGTH, model, signature, spec)
        yield _plan(tokens, "input_ids", constants, model, spec)
        image = _image_argument(config, spec)
        yield _plan((*tokens, image), "input_ids", constants, model, spec)


def _plan(
    arguments: tuple[Argument, ...],
    primary: str,
    constants: dict[str, Any],
    model: nn.Module,
    spec: ModelSpec,
) -> InputPlan:
    names = {argument.name for argument in arguments}
    return InputPlan(
        arguments=tuple(_declare(argument) for argument in arguments),
        primary=primary,
        constants=constants,
        padding="attention_mask" if "attention_mask" in names else "",
        pad_token_id=find_pad_token(model, spec),
    )


def _declare(argument: Argument) -> Argument:
    """Say that the config declares an argument that transformers has a meaning for."""
    if argument.name not in _KNOWN:
        return argument
    return replace(argument, standing=Standing.DECLARED, source="by the config")


def _main_arguments(
    main: str, model: nn.Module, signature: ForwardSignature, spec: ModelSpec
) -> Iterator[tuple[Argument, ...]]:
    config: Any = model.config
    if main == "input_ids":
        yield _token_arguments("input_ids", "attention_mask", LENGTH, model, signature, spec)
    elif main == "pixel_values":
        yield (_image_argument(config, spec),)
        frames = getattr(config, "num_frames", None)
        if isinstance(frames, int):
            image = _image_argument(config, spec)
            shape = (BATCH, frames, *image.shape[1:])
            yield (Argument("pixel_values", "image", shape, image.dtype),)
    elif main == "input_features":
        bins = _read_mel_bins(config)
        frames = 2 * getattr(config, "max_source_positions", 64)
        yield (Argument(main, "audio", (BATCH, bins, frames), torch.float32),)
        yield (Argument(main, "audio", (BATCH, LENGTH, bins), torch.float32),)
    elif main == "input_values":
        wide, long = getattr(config, "num_mel_bins", None), getattr(config, "max_length", None)
        if isinstance(wide, int) and isinstance(long, int):
            yield (Argument(main, "audio", (BATCH, long, wide), torch.float32),)
        yield (Argument(main, "audio", (BATCH, 4000), torch.float32),)
        channels = getattr(config, "audio_channels", 1)
        yield (
            Argument(
                main, "audio", (BATCH, channels if isinstance(channels, int) else 1, 4000), torch.float32
            ),
        )
    elif main == "past_values":
        yield from _time_series_arguments(config)
    else:
        width = getattr(config, "hidden_size", getattr(config, "d_model", 64))
        yield (Argument(main, "floats", (BATCH, LENGTH, width), torch.float32),)


def _read_mel_bins(config: Any) -> int:
    """The bins of a frame: the config's own, or those of the encoder inside it."""
    for holder in (config, *(getattr(config, name, None) for name in ("encoder_config", "audio_config"))):
        for name in ("num_mel_bins", "feature_projection_input_dim", "input_feat_per_channel"):
            value = getattr(holder, name, None)
            if isinstance(value, int):
                return value
    return 80


def _time_series_arguments(config: Any) -> Iterator[tuple[Argument, ...]]:
    context = getattr(config, "context_length", 64)
    channels = getattr(config, "num_input_channels", getattr(config, "input_size", 1))
    yield (Argument("past_values", "floats", (BATCH, context, channels), torch.float32),)
    yield (Argument("past_values", "floats", (BATCH, context), torch.float32),)


def _token_arguments(
    name: str, mask: str, length: str, model: nn.Module, signature: ForwardSignature, spec: ModelSpec
) -> tuple[Argument, ...]:
    tokens = Argument(
        name,
        "tokens",
        (BATCH, length),
        torch.int64,
        high=find_vocabulary(model, spec) or 2,
        avoid=find_special_tokens(model, spec),
    )
    if mask not in signature:
        return (tokens,)
    return (tokens, Argument(mask, "mask", (BATCH, length), torch.int64))


def _decoder_arguments(
    model: nn.Module, signature: ForwardSignature, spec: ModelSpec
) -> tuple[Argument, ...]:
    if "decoder_input_ids" not in signature or not getattr(model.config, "is_encoder_decoder", False):
        return ()
    return _token_arguments("decoder_input_ids", "", TARGET_LENGTH, model, signature, spec)


def _rename_length(argument: Argument) -> Argument:
    shape = tuple(LENGTH if size == TARGET_LENGTH else size for size in argument.shape)
    return Argument(
        argument.name, argument.role, shape, argument.dtype, argument.high, argument.low, argument.avoid
    )


def _image_argument(config: Any, spec: ModelSpec) -> Argument:
    vision = _find_vision_config(config)
    channels: Any = spec.channels or getattr(vision, "num_channels", getattr(vision, "in_channels", 3))
    size: Any = spec.image_size or getattr(vision, "image_size", getattr(vision, "input_size", 224))
    height, width = (size, size) if isinstance(size, int) else tuple(size)[-2:]
    return Argument("pixel_values", "image", (BATCH, channels, height, width), torch.float32)


def _find_vision_config(config: Any) -> Any:
    """The config that holds the image size: `config` itself, or that of its vision part."""
    for holder in (config, *(getattr(config, name, None) for name in ("vision_config", "encoder"))):
        if hasattr(holder, "image_size"):
            return holder
    return getattr(config, "vision_config", config)


def find_vocabulary(model: nn.Module, spec: ModelSpec) -> int | None:
    """The vocabulary size of a transformers model, from the spec, the text config or the config; None if unknown."""
    if spec.vocab_size is not None:
        return spec.vocab_size
    config: Any = model.config
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    for holder in (text, config):
        value = getattr(holder, "vocab_size", None)
        if isinstance(value, int):
            return value
    return None


def find_special_tokens(model: nn.Module, spec: ModelSpec) -> frozenset[int]:
    """Token ids with a special meaning (padding, image placeholders, …), which random tokens must avoid."""
    found = {spec.pad_token_id} if spec.pad_token_id is not None else set()
    config: Any = model.config
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    for holder in (config, text):
        for name, value in vars(holder).items():
            if name.endswith(("_token_id", "_token_index")) and isinstance(value, int):
                found.add(value)
    return frozenset(token for token in found if isinstance(token, int) and token >= 0)


def find_pad_token(model: nn.Module, spec: ModelSpec) -> int | None:
    """The id of the padding token; None if neither the spec nor the config names one."""
    if spec.pad_token_id is not None:
        return spec.pad_token_id
    value = getattr(model.config, "pad_token_id", None)
    return value if isinstance(value, int) else None
