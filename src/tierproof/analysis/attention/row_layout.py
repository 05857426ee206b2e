"""Which axis of an attention operation's tensors is the batch, and which are heads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class RowLayout:
    """Tells heads from rows of the batch, by the number of rows that the pass has.

    Attributes:
        batch: how many rows the pass has.
    """

    batch: int

    def part(self, tensor: Tensor) -> Tensor:
        """[…, positions, width] to [batch, heads, positions, width].

        Windows count as rows of the batch where they lie on its axis, and as heads where they lie behind the heads.
        """
        lead = tensor.shape[:-2]
        if len(lead) == 2 and (lead[0] % self.batch == 0 or lead[1] != self.batch):
            return tensor  # more rows than the batch has are windows of it
        if len(lead) == 1:
            batch = self.batch if lead[0] % self.batch == 0 else 1
            return tensor.reshape(batch, -1, *tensor.shape[1:])
        if not lead:
            return tensor[None, None]
        axis = next((at for at, size in enumerate(lead) if size == self.batch), 0)
        return tensor.movedim(axis, 0).flatten(1, len(lead) - 1)

    def spread(self, factors: Tensor, lead: tuple[int, ...]) -> Tensor:
        """Factors by head, [heads], as a tensor of the lead axes of what `part` takes."""
        size = torch.Size(lead).numel()
        places = self.part(torch.arange(size, device=factors.device).reshape(*lead, 1, 1))[..., 0, 0]
        heads = torch.empty(size, dtype=torch.long, device=factors.device)
        heads[places.flatten()] = torch.arange(places.shape[1], device=factors.device).repeat(places.shape[0])
        return factors[heads].reshape(lead)
