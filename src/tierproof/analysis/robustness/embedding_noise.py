"""Run a model with noise on the embeddings of its token ids."""

from __future__ import annotations

import torch
from torch import Tensor

from tierproof.analysis.tokens.token_lookups import TokenLookups


class EmbeddingNoise:
    """Gaussian noise whose standard deviation is a share of the embedding table's own spread.

    The spread is the root mean square distance of a table's values from their column's mean.

    Args:
        strength: the noise's standard deviation over that of the table.
        seed: of the noise.
    """

    def __init__(self, strength: float, seed: int) -> None:
        self._strength = strength
        self._generator = torch.Generator().manual_seed(seed)
        self._spreads: dict[int, float] = {}

    def watch(self, ids: Tensor) -> TokenLookups:
        """The mode under which lookups of `ids` are noisy."""
        return TokenLookups(ids, self._disturb)

    def _disturb(self, found: Tensor, table: Tensor) -> Tensor:
        if self._strength == 0:
            return found
        spread = self._spreads.setdefault(id(table), measure_table_spread(table))
        noise = torch.randn(found.shape, generator=self._generator, device="cpu").to(found)
        return found + self._strength * spread * noise


def measure_table_spread(table: Tensor) -> float:
    """Root mean square distance of a table's values from the mean of their column."""
    values = table.detach().float()
    return float((values.var(dim=0, correction=0)).mean().sqrt())
