"""Measure what each head of one attention operation attends to, over blocks of rows."""

from __future__ import annotations

import torch
from torch import Tensor

from tierproof.analysis.attention.attention_figures import HeadStatistics, PatternStatistics
from tierproof.analysis.attention.attention_pattern import AttentionPattern

# Keys at most this far from the query, on either side, are local.
_LOCAL = 2


def measure_pattern(pattern: AttentionPattern, period: int | None = None) -> PatternStatistics:
    """Measure the heads of a pattern, block by block.

    Args:
        period: after how many positions the tokens repeat; None where they do not.
    """
    sums = _Sums(pattern, period)
    for rows, weights in pattern.iterate_blocks():
        sums.add(rows, weights)
    return sums.conclude()


class _Sums:
    """Sums over rows and queries, by head."""

    def __init__(self, pattern: AttentionPattern, period: int | None) -> None:
        self._pattern = pattern
        self._aligned = pattern.queries == pattern.keys
        self._period = period if self._aligned else None
        self._totals: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}
        self._products = torch.zeros(pattern.heads, pattern.heads, dtype=torch.float64)
        self._sum_error = 0.0

    def add(self, rows: slice, weights: Tensor) -> None:
        """Add a block, [batch, heads, rows, keys]."""
        totals = weights.sum(-1)
        seen = totals > 0
        if bool(seen.any()):
            self._sum_error = max(self._sum_error, float((totals[seen] - 1).abs().max()))
        entropy = torch.special.entr(weights).sum(-1)
        self._note("entropy_nats", entropy)
        several = weights.count_nonzero(-1)
        known = several > 1
        self._note("relative_entropy", torch.where(known, entropy / several.clamp(min=2).log(), 0.0), known)
        self._note("largest", weights.amax(-1))
        self._note("first", weights[..., 0])
        flat = weights.transpose(0, 1).flatten(1)
        self._products += (flat @ flat.T).double().cpu()
        if self._aligned:
            self._add_positions(rows, weights)

    def _add_positions(self, rows: slice, weights: Tensor) -> None:
        queries = torch.arange(rows.start, rows.stop, device=weights.device)
        steps = (queries[:, None] - torch.arange(weights.shape[-1], device=weights.device)).abs()
        self._note("distance", torch.einsum("bhrk,rk->bhr", weights, steps.to(weights.dtype)))
        self._note("local", torch.einsum("bhrk,rk->bhr", weights, (steps <= _LOCAL).to(weights.dtype)))
        self._note_at("diagonal", weights, queries, 0)
        self._note_at("previous", weights, queries, 1)
        if self._period is not None:
            self._note_at("induction", weights, queries, self._period - 1, self._period)
            self._note_at("duplicate", weights, queries, self._period, self._period)

    def _note_at(
        self, name: str, weights: Tensor, queries: Tensor, back: int, start: int | None = None
    ) -> None:
        """Note the weight on the key that lies `back` positions before the query, from position `start` on."""
        kept = queries >= (back if start is None else start)
        if bool(kept.any()):
            keys = (queries[kept] - back).expand(*weights.shape[:2], -1)
            self._note(name, weights[:, :, kept].gather(-1, keys[..., None])[..., 0])

    def _note(self, name: str, values: Tensor, known: Tensor | None = None) -> None:
        """Add values, [batch, heads, rows]; `known` tells which of them count."""
        total = values.sum((0, 2), dtype=torch.float64).cpu()
        count = torch.full_like(total, values.shape[0] * values.shape[2])
        if known is not None:
            count = known.sum((0, 2)).double().cpu()
        self._totals[name] = self._totals[name] + total if name in self._totals else total
        self._counts[name] = self._counts[name] + count if name in self._counts else count

    def conclude(self) -> PatternStatistics:
        """The means over all blocks."""
        pattern = self._pattern
        means = {name: total / self._counts[name].clamp(min=1) for name, total in self._totals.items()}
        heads = tuple(
            HeadStatistics(**{name: float(values[head]) for name, values in means.items()})
            for head in range(pattern.heads)
        )
        norms = self._products.diagonal().clamp(min=1e-300).sqrt()
        return PatternStatistics(
            pattern.path,
            pattern.kind,
            pattern.queries,
            pattern.keys,
            heads,
            tuple(map(tuple, (self._products / norms[:, None] / norms[None, :]).tolist())),
            self._sum_error,
        )
