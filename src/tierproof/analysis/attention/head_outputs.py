"""Compare what the heads of one attention operation make of their values."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tierproof.analysis.attention.attention_figures import HeadStatistics

# Positions that are widened to float64 at a time.
_STRETCH = 128


class OutputSums:
    """Products of the outputs of each two heads, over one or more operations of the same heads."""

    def __init__(self, heads: int) -> None:
        self._products = torch.zeros(heads, heads, dtype=torch.float64)
        self._numbers = 0

    def add(self, outputs: Tensor) -> None:
        """Add outputs, [batch, heads, queries, width], as they are before the layer joins them."""
        for start in range(0, outputs.shape[2], _STRETCH):
            part = outputs[:, :, start : start + _STRETCH].detach().transpose(0, 1).flatten(1).double()
            self._products += (part @ part.T).cpu()
            self._numbers += part.shape[1]

    def conclude(self) -> list[HeadStatistics]:
        """By head: the root mean square of its output, the head whose output is nearest, and how far that lies.

        The other figures are zero.
        """
        heads = len(self._products)
        if not self._numbers:
            return [_NOTHING] * heads
        squares = self._products.diagonal()
        found = [replace(_NOTHING, output_rms=float((square / self._numbers) ** 0.5)) for square in squares]
        if heads == 1:
            return found
        larger = torch.maximum(squares[:, None], squares[None, :]).clamp(min=1e-300)
        apart = ((squares[:, None] + squares[None, :] - 2 * self._products).clamp(min=0) / larger).sqrt()
        apart.fill_diagonal_(float("inf"))
        nearest = apart.argmin(-1).tolist()
        return [
            replace(entry, nearest=nearest[head], nearest_difference=float(apart[head, nearest[head]]))
            for head, entry in enumerate(found)
        ]


_NOTHING = HeadStatistics(entropy_nats=0.0, relative_entropy=0.0, largest=0.0, first=0.0)
