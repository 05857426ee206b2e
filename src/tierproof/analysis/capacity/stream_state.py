"""Sum up the residual stream at one place over several passes."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from tierproof.analysis.capacity.capacity_figures import BlockState
from tierproof.analysis.capacity.position_rows import PositionRows

# For the alignment of layers; its kernels are this number squared.
MOST_SAMPLED = 384
_MOST_FOR_MEDIAN = 1 << 18
_TINY = 1e-300
# Of sums in float64 over as many positions as are run.
_ROUNDING = 1e-13


@dataclass
class StreamState:
    """What is summed up of one place: behind a block, or before the first.

    Attributes:
        path: of the block; empty before the first.
        samples: rows for the alignment, the same positions at every place.
        broken: whether a value was NaN or infinite.
    """

    path: str
    count: int = 0
    broken: bool = False
    samples: list[Tensor] = field(default_factory=list)
    _norms: float = 0.0
    _squares: Tensor | None = None
    _sum: Tensor | None = None
    _updates: float = 0.0
    _updated: int = 0
    _medians: float = 0.0
    _largest: tuple[float, int, int | None] = (0.0, 0, None)
    _channels: Tensor | None = None

    def add(self, tensor: Tensor, channels: int, plan: PositionRows, before: Tensor | None) -> None:
        """Add the stream of one pass; `before` is the same stream before the block."""
        rows = plan.read(tensor, channels)
        if not len(rows):
            return
        if not bool(rows.isfinite().all()):
            self.broken = True
            return
        self._add_sizes(rows)
        magnitudes = rows.abs()
        peak = float(magnitudes.max())
        if peak > self._largest[0]:
            row, channel = divmod(int(magnitudes.argmax()), rows.shape[1])
            self._largest = (peak, channel, plan.locate(tensor, channels, row))
        flat = magnitudes.flatten()
        self._medians += len(rows) * float(flat[:: 1 + flat.numel() // _MOST_FOR_MEDIAN].median())
        peaks = magnitudes.amax(0)
        self._channels = peaks if self._channels is None else torch.maximum(self._channels, peaks)
        if before is not None:
            start = plan.read(before, channels)
            sizes = start.norm(dim=1)
            moved = (rows - start).norm(dim=1)[sizes > 0] / sizes[sizes > 0]
            self._updates += float(moved.double().sum())
            self._updated += len(moved)

    def _add_sizes(self, rows: Tensor) -> None:
        wide = rows.double()
        norms = wide.norm(dim=1)
        self.count += len(rows)
        self._norms += float(norms.sum())
        squares = wide.square().sum(0)
        self._squares = squares if self._squares is None else self._squares + squares
        self._sum = wide.sum(0) if self._sum is None else self._sum + wide.sum(0)
        room = MOST_SAMPLED - sum(map(len, self.samples))
        if room > 0:
            self.samples.append(rows[space_rows(len(rows), room)].clone())

    def summarise(self) -> BlockState | None:
        """The figures; None where nothing finite was seen."""
        if not self.count or self._sum is None or self._squares is None or self._channels is None:
            return None
        squares, centres = self._squares / self.count, (self._sum / self.count).square()
        usual = float(self._channels.median())
        return BlockState(
            path=self.path,
            norm=self._norms / self.count,
            update=self._updates / self._updated if self._updated else None,
            spread=float(_spread(squares.sum(), centres.sum())),
            channel_spread=float(_spread(squares, centres).median()),
            largest=self._largest[0],
            median=self._medians / self.count,
            channel=self._largest[1],
            position=self._largest[2],
            outlier_ratio=self._largest[0] / usual if usual > 0 else 0.0,
        )


def _spread(squares: Tensor, centres: Tensor) -> Tensor:
    """√(1 − centre² / mean square), 0 where it is but rounding."""
    rest = (1 - centres / squares.clamp_min(_TINY)).where(squares > 0, 0.0)
    return rest.where(rest > _ROUNDING, 0.0).sqrt()


def space_rows(count: int, most: int) -> Tensor:
    """At most this many of the numbers below `count`, evenly spaced."""
    return torch.arange(count) if count <= most else torch.linspace(0, count - 1, most).round().long()
