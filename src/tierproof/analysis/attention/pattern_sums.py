"""Sum what each head of one attention operation does, over the blocks of rows of one or more forward passes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from tierproof.analysis.attention.attention_figures import PatternStatistics
from tierproof.analysis.attention.attention_pattern import AttentionPattern
from tierproof.analysis.attention.head_clusters import cluster_heads
from tierproof.analysis.attention.head_outputs import OutputSums
from tierproof.model.sizes.thread_count import use_one_thread

# Keys at most this far from the query, on either side, are local.
_LOCAL = 2
# Pairs of neighbouring queries that are compared in one pass.
_PAIRS = 16
_TINY = 1e-37


class PatternSums:
    """Sums over rows of the batch and queries, by head; each pattern that is added must have the same heads.

    Figures by position are kept only if queries and keys are the same positions in every pattern.
    """

    def __init__(self, pattern: AttentionPattern) -> None:
        self._first = pattern
        self._queries = self._keys = 0
        self._aligned = True
        self._totals: dict[str, Tensor] = {}
        self._counts: dict[str, Tensor] = {}
        self._products = torch.zeros(pattern.heads, pattern.heads, dtype=torch.float64)
        self._outputs = OutputSums(pattern.heads)
        self._sum_error = 0.0

    def add(self, pattern: AttentionPattern, period: int | None = None) -> None:
        """Add the weights of one operation, block by block.

        Args:
            period: after how many positions the tokens repeat; None where they do not.

        Raises:
            ValueError: the pattern has another number of heads than the first.
        """
        if pattern.heads != self._first.heads:
            raise ValueError(f"{pattern.heads} heads after {self._first.heads}")
        if pattern.queries * pattern.keys > self._queries * self._keys:
            self._queries, self._keys = pattern.queries, pattern.keys
        aligned = pattern.queries == pattern.keys
        self._aligned = self._aligned and aligned
        with use_one_thread():
            for rows, weights in pattern.iterate_blocks():
                self._add_block(pattern, rows, weights, period)
        if pattern.outputs is not None:
            self._outputs.add(pattern.outputs())

    def _add_block(self, pattern: AttentionPattern, rows: slice, weights: Tensor, period: int | None) -> None:
        """Add a block, [batch, heads, rows, keys]."""
        sums = weights.sum(-1)
        seen = sums > 0
        if bool(seen.any()):
            self._sum_error = max(self._sum_error, float((sums[seen] - 1).abs().max()))
        logs = weights.clamp(min=_TINY).log_()
        entropy = -logs.mul_(weights).sum(-1)
        several = _count_keys(pattern, rows, weights)
        known = (several > 1).expand_as(entropy)
        by_row = {
            "entropy_nats": entropy,
            "largest": weights.amax(-1),
            "first": weights[..., 0],
        }
        if self._aligned:
            by_row["distance"] = _measure_distance(pattern, rows, weights, sums)
            self._add_diagonals(rows, weights, period)
        self._note(by_row)
        self._note({"sink": (1 - sums).clamp(min=0)}, seen)
        self._note({"relative_entropy": entropy / several.clamp(min=2).log()}, known)
        flat = weights.transpose(0, 1).flatten(1)
        self._products += (flat @ flat.T).double().cpu()
        self._add_changes(weights, max(1, _PAIRS * weights.shape[2] // pattern.queries))

    def _add_diagonals(self, rows: slice, weights: Tensor, period: int | None) -> None:
        near = {step: _read_diagonal(weights, rows, step) for step in range(-_LOCAL, _LOCAL + 1)}
        self._note_sum("local", sum(near.values(), torch.zeros_like(near[0])), weights, rows, 0)
        self._note_sum("diagonal", near[0], weights, rows, 0)
        self._note_sum("previous", near[1], weights, rows, 1)
        if period is None or rows.stop <= period:
            return
        stretch = slice(max(rows.start, period), rows.stop)
        later = weights[:, :, stretch.start - rows.start :]
        for name, back in (("induction", period - 1), ("duplicate", period)):
            self._note_sum(name, _read_diagonal(later, stretch, back), weights, rows, period)

    def _add_changes(self, weights: Tensor, pairs: int) -> None:
        """How far the weights of neighbouring queries differ, over the keys that both see, in a few places."""
        count = weights.shape[2]
        if count < 2:
            return
        later = torch.linspace(1, count - 1, min(pairs, count - 1), device=weights.device).long()
        one, other = weights[:, :, later - 1], weights[:, :, later]
        both = (one > 0) & (other > 0)
        one, other = (
            part / part.sum(-1, keepdim=True).clamp(min=_TINY) for part in (one * both, other * both)
        )
        self._note({"query_change": 0.5 * (one - other).abs().sum(-1)}, both.sum(-1) > 1)

    def _note(self, by_row: dict[str, Tensor], known: Tensor | None = None) -> None:
        """Add values, [batch, heads, rows] each; `known` tells which of them count."""
        values = torch.stack(tuple(by_row.values()))
        count: Tensor | float = float(values.shape[1] * values.shape[3])
        if known is not None:
            values = torch.where(known, values, 0.0)
            count = known.sum((0, 2)).double().cpu()
        for name, total in zip(by_row, values.sum((1, 3), dtype=torch.float64).cpu(), strict=True):
            self._add(name, total, count)

    def _note_sum(self, name: str, total: Tensor, weights: Tensor, rows: slice, start: int) -> None:
        """Add a sum, [heads], over the queries of the block from position `start` on."""
        self._add(name, total, float(weights.shape[0] * max(rows.stop - max(rows.start, start), 0)))

    def _add(self, name: str, total: Tensor, count: Tensor | float) -> None:
        counts = torch.zeros_like(total) + count
        self._totals[name] = self._totals[name] + total if name in self._totals else total
        self._counts[name] = self._counts[name] + counts if name in self._counts else counts

    def conclude(self) -> PatternStatistics:
        """The means over all that was added."""
        first = self._first
        means = {
            name: total / self._counts[name].clamp(min=1)
            for name, total in self._totals.items()
            if (self._aligned or name not in _BY_POSITION) and float(self._counts[name].max()) > 0
        }
        outputs = self._outputs.conclude()
        heads = tuple(
            replace(
                outputs[head],
                **{name: float(values[head]) for name, values in means.items()},  # type: ignore[arg-type]
            )
            for head in range(first.heads)
        )
        norms = self._products.diagonal().clamp(min=1e-300).sqrt()
        agreement = self._products / norms[:, None] / norms[None, :]
        return PatternStatistics(
            first.path,
            first.kind,
            self._queries,
            self._keys,
            heads,
            tuple(map(tuple, agreement.tolist())),
            self._sum_error,
            first.occurrence,
            cluster_heads(agreement),
        )


_BY_POSITION = ("distance", "local", "diagonal", "previous", "induction", "duplicate")


def _measure_distance(pattern: AttentionPattern, rows: slice, weights: Tensor, sums: Tensor) -> Tensor:
    """|query − key| in positions, weighted, [batch, heads, rows]."""
    queries = torch.arange(rows.start, rows.stop, device=weights.device)
    keys = torch.arange(weights.shape[-1], device=weights.device)
    if pattern.causal:  # no key lies after its query
        return queries * sums - weights @ keys.to(weights.dtype)
    return (weights * (queries[:, None] - keys).abs().to(weights.dtype)).sum(-1)


def _read_diagonal(weights: Tensor, rows: slice, back: int) -> Tensor:
    """The sum of the weights on the keys that lie `back` positions before their query, by head."""
    if rows.start - back >= weights.shape[-1] or rows.stop - back <= 0:
        return torch.zeros(weights.shape[1], dtype=torch.float64)
    found = weights.diagonal(rows.start - back, -2, -1)
    return found.sum((0, 2), dtype=torch.float64).cpu()


def _count_keys(pattern: AttentionPattern, rows: slice, weights: Tensor) -> Tensor:
    """How many keys each query sees, in a shape that broadcasts to [batch, heads, rows].

    Where a mask hides keys, those count that have a weight.
    """
    if pattern.causal:
        return torch.arange(rows.start + 1, rows.stop + 1, device=weights.device, dtype=weights.dtype)
    if pattern.open:
        return weights.new_full((1,), weights.shape[-1])
    return weights.count_nonzero(-1).to(weights.dtype)
