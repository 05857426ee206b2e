"""Which positions of a batch are padding, by the batch's own attention mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from tierproof.training.audit.batches.batch_tensors import list_tensors

# The names under which libraries take a mask that is 1 at tokens and 0 at padding.
_MASK_NAMES = frozenset({"attention_mask", "padding_mask", "encoder_attention_mask", "src_mask", "mask"})


@dataclass(frozen=True)
class PaddedPositions:
    """Padding as a mask of the batch declares it.

    Attributes:
        mask: path of the mask.
        positions: [rows, length] True at padding, but for the first padded position of a row: it may be the end
            token that a model is meant to learn.
        tensors: paths of the integer tensors of the mask's shape that lie beside it, such as tokens and labels: a
            batch may be a list of micro-batches, each with a mask of its own.
    """

    mask: str
    positions: Tensor
    tensors: tuple[str, ...]


def find_padded_positions(batch: Any) -> PaddedPositions | None:
    """Read a mask of zeros and ones whose zeros lie at the ends of its rows; None where the batch has none."""
    tensors = dict(list_tensors(batch))
    for path, mask in tensors.items():
        if path.rpartition(".")[2] not in _MASK_NAMES or mask.dim() != 2 or not _is_binary(mask):
            continue
        padding = (mask == 0).cpu()
        at_end = _is_run_at(padding)
        if at_end is None:
            continue
        before = torch.zeros_like(padding)
        before[:, 1:] = padding[:, :-1]
        positions = padding & before if at_end else padding
        if not bool(positions.any()):
            continue
        fitting = tuple(
            name
            for name, tensor in tensors.items()
            if name != path
            and name.rpartition(".")[0] == path.rpartition(".")[0]
            and tensor.shape == mask.shape
            and _is_integer(tensor)
            and not _is_binary(tensor)
            and _is_padding(tensor, positions)
            and not _is_of_decoder(name, tensors)
        )
        return PaddedPositions(path, positions, fitting)
    return None


def _is_padding(tensor: Tensor, positions: Tensor) -> bool:
    """Whether a tensor holds one value only at the positions, beside ignored ones: others are no padding in it."""
    values = tensor[positions.to(tensor.device)]
    return len(torch.unique(values[values >= 0])) <= 1


def _is_of_decoder(name: str, tensors: Mapping[str, Tensor]) -> bool:
    """Whether a tensor belongs to a decoder's sequence, of which an encoder's mask says nothing."""
    last = name.rpartition(".")[2]
    decoder = any(each.rpartition(".")[2].startswith("decoder_") for each in tensors)
    return last.startswith("decoder_") or (decoder and "label" in last)


def _is_run_at(padding: Tensor) -> bool | None:
    """True where the padding of each row is a run at its end, False at its front; None where it is neither."""
    if not bool(padding.any()) or bool(padding.all(-1).any()):
        return None
    steps = padding.int().diff(dim=-1)
    if bool((steps >= 0).all()):
        return True
    return False if bool((steps <= 0).all()) else None


def _is_integer(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() and not tensor.is_complex() and tensor.dtype != torch.bool


def _is_binary(tensor: Tensor) -> bool:
    return bool(((tensor == 0) | (tensor == 1)).all())
