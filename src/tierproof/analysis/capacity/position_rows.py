"""Read an activation as rows, one for each position that is no padding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tierproof.model.call.call import Call
from tierproof.model.describe.subject import Subject

_HIDES = "hide_mask"


@dataclass(frozen=True)
class PositionRows:
    """How the activations of one pass are read.

    Attributes:
        batch: rows of the pass.
        visible: [batch, length], False at padding; None where nothing is padded or the model has no padding mask.
    """

    batch: int
    visible: Tensor | None = None

    def read(self, tensor: Tensor, channels: int) -> Tensor:
        """[rows, channels] in float32, of an activation whose axis `channels` holds the channels."""
        moved = tensor.detach().movedim(channels, -1)
        rows = moved.flatten(0, -2)
        keep = self._find_kept(moved)
        rows = rows if keep is None else rows[keep.flatten()]
        return rows.float()

    def locate(self, tensor: Tensor, channels: int, row: int) -> int | None:
        """The position in its row of the batch of the n-th of the rows that `read` gives; None for images."""
        moved = tensor.movedim(channels, -1)
        if moved.dim() != 3:
            return None
        keep = self._find_kept(moved)
        flat = row if keep is None else int(keep.flatten().nonzero()[row])
        first, second = divmod(flat, moved.shape[1])
        return second if moved.shape[0] == self.batch else first

    def _find_kept(self, moved: Tensor) -> Tensor | None:
        if self.visible is None or moved.dim() != 3:
            return None
        if moved.shape[:2] == self.visible.shape:
            return self.visible
        return self.visible.T if moved.shape[:2] == self.visible.T.shape else None


def plan_rows(subject: Subject, call: Call, batch: int) -> PositionRows:
    """How to read the activations of a call; padding is what the call's padding mask hides."""
    name = subject.inputs.padding
    mask = call.tensors.get(name) if name else None
    if mask is None or mask.dim() != 2 or mask.is_meta:
        return PositionRows(batch)
    argument = next((each for each in subject.inputs.arguments if each.name == name), None)
    role = argument.role if argument is not None else "mask"
    if role not in ("mask", _HIDES):
        return PositionRows(batch)
    visible = mask == 0 if role == _HIDES else mask != 0
    return PositionRows(batch) if bool(visible.all()) else PositionRows(batch, visible)


def find_channel_axis(tensor: Tensor, module: nn.Module) -> int:
    """The axis of the channels: the last, or the second where more of the module's parameters have its size."""
    if tensor.dim() < 3 or tensor.shape[1] == tensor.shape[-1]:
        return tensor.dim() - 1
    sizes = [size for parameter in module.parameters() for size in parameter.shape]
    last, second = sizes.count(tensor.shape[-1]), sizes.count(tensor.shape[1])
    return 1 if second > last else tensor.dim() - 1


def has_values(tensor: Tensor) -> bool:
    """Whether an activation can be read: a plain floating tensor of two axes or more that is not empty."""
    return (
        tensor.is_floating_point()
        and tensor.dim() >= 2
        and tensor.numel() > 0
        and not tensor.is_meta
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )
