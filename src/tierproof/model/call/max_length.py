"""Find the longest input that a model declares to accept, and where it declares it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tierproof.core.standing import Standing
from tierproof.model.call.spec import ModelSpec

_ATTRIBUTES = (
    "max_position_embeddings",
    "n_positions",
    "n_ctx",
    "block_size",
    "context_length",
    "max_seq_len",
    "max_seq_length",
    "max_sequence_length",
    "max_len",
    "max_length",
    "maxlen",
    "seq_len",
    "seq_length",
    "sequence_length",
    "context_size",
    "ctx_len",
    "max_context",
    "max_positions",
    "max_target_positions",
)
_POSITION_NAME = re.compile(r"(^|[._])(pos|wpe|pe$|position)", re.IGNORECASE)


@dataclass(frozen=True)
class MaximumLength:
    """The longest input that a model accepts, and how this is known; `length` is None where nothing tells."""

    length: int | None = None
    source: str = ""
    standing: Standing = Standing.ASSUMED


def read_declared_maximum(model: nn.Module, spec: ModelSpec) -> MaximumLength:
    """Read the maximum length that is declared, before the model has run: a run may leave masks and caches behind.

    The first of these that declares one: the spec; a config or an attribute (`block_size`, `max_len`, …) of the
    model or a submodule; square mask buffers.
    """
    if spec.max_length is not None:
        return MaximumLength(spec.max_length, "ModelSpec.max_length", Standing.GIVEN)
    config: Any = getattr(model, "config", None)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    for holder, name in ((config, "config"), (text, "text config"), (model, type(model).__name__)):
        found = _read_attributes(holder)
        if found:
            length, source = _subtract_position_offset(model, found[1], f"{name}.{found[0]}")
            return MaximumLength(length, source, Standing.DECLARED)
    nested = [
        (found[1], f"{path}.{found[0]}")
        for path, module in model.named_modules()
        if path and (found := _read_attributes(module))
    ]
    masks = [(size, f"mask buffer {path}") for path, size in find_mask_buffers(model)]
    if nested or masks:
        return MaximumLength(*max(nested + masks), Standing.DECLARED)
    return MaximumLength()


def find_mask_buffers(model: nn.Module) -> list[tuple[str, int]]:
    """Path and size of each buffer that is a triangular mask."""
    return [(path, t.shape[-1]) for path, t in model.named_buffers() if is_triangular_mask(t)]


def guess_maximum(model: nn.Module) -> int | None:
    """The rows of the smallest tensor that is called a position table: sizes to try first, and no fact."""
    return min((rows for rows, _ in _named_tables(model)), default=None)


def _read_attributes(holder: Any) -> tuple[str, int] | None:
    if holder is None:
        return None
    for name in _ATTRIBUTES:
        if isinstance(holder, nn.Module) and name in ("max_length", "seq_len") and name not in vars(holder):
            continue
        value = holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
        if isinstance(value, int) and not isinstance(value, bool) and 1 < value < 10_000_000:
            return name, value
    return None


def _subtract_position_offset(model: nn.Module, length: int, source: str) -> tuple[int, str]:
    """RoBERTa-like tables begin after the padding index: their last positions cannot be used.

    A table of as many rows holds positions, unless the vocabulary is as large: then its name decides.
    """
    config: Any = getattr(model, "config", None)
    by_name = getattr(config, "vocab_size", None) == length
    for path, module in model.named_modules():
        padding = getattr(
            module, "padding_idx", None
        )  # also of tables that are not an nn.Embedding, as in I-BERT
        weight = getattr(module, "weight", None)
        if (
            isinstance(padding, int)
            and isinstance(weight, Tensor)
            and weight.dim() == 2
            and weight.shape[0] == length
            and ("position" in path or not by_name)
        ):
            offset = padding + 1
            return length - offset, f"{source} minus the {offset} rows up to padding_idx"
    return length, source


def is_triangular_mask(tensor: Tensor) -> bool:
    """Whether a tensor is a single square mask (leading axes of size 1 allowed) with a triangular pattern."""
    if tensor.layout is not torch.strided or tensor.is_nested:
        return False
    if tensor.dim() < 2 or tensor.shape[-1] != tensor.shape[-2] or tensor.shape[-1] < 2 or tensor.is_meta:
        return False
    if tensor.numel() != tensor.shape[-1] ** 2:
        return False
    square = tensor.reshape(tensor.shape[-2:])
    return _is_triangular(square)


def _is_triangular(square: Tensor) -> bool:
    corner = square[0, 0]
    pattern = square != corner
    size = square.shape[-1]
    ones = torch.ones(size, size, dtype=torch.bool, device=square.device)
    triangles = [ones.triu(1), ones.tril(-1), ones.triu(2), ones.tril(-2), ones.triu(), ones.tril()]
    complement = ~pattern
    return bool(pattern.any()) and any(
        torch.equal(pattern, t) or torch.equal(complement, t) for t in triangles
    )


def _named_tables(model: nn.Module) -> list[tuple[int, str]]:
    found = []
    for path, tensor in [*model.named_parameters(), *model.named_buffers()]:
        name = path.rsplit(".", 1)[-1] if not path.endswith("weight") else path
        if not _POSITION_NAME.search(name) or not tensor.is_floating_point() or tensor.dim() not in (2, 3):
            continue
        sizes = tensor.shape[:-1]
        length = max(sizes)
        if length > 1 and min(sizes, default=1) in (1, length):
            found.append((length, f"position table {path}"))
    return found
