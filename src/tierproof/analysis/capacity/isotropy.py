"""How evenly the rows of a table point into all directions.

Sources: mean cosine: Ethayarajh 2019 (arXiv 1909.00512); partition ratio: Arora et al. 2016 (arXiv 1502.03520), by the
eigenvectors as Mu and Viswanath 2018 (arXiv 1702.01417) compute it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tierproof.analysis.capacity.capacity_figures import EmbeddingShape

_MOST_ROWS = 8192
_WIDEST = 2048


def measure_isotropy(name: str, table: Tensor) -> EmbeddingShape | None:
    """Measure a table [rows, width]; None where fewer than two rows are finite and not zero.

    The partition ratio rests on at most 8,192 rows, evenly spaced, and is left out beyond a width of 2,048.
    """
    rows = table.detach().float()
    rows = rows[rows.isfinite().all(1) & rows.any(1)]
    count = len(rows)
    if count < 2:
        return None
    total = (rows / rows.norm(dim=1, keepdim=True)).double().sum(0)
    chosen = rows if count <= _MOST_ROWS else rows[torch.linspace(0, count - 1, _MOST_ROWS).long()]
    ratio = measure_partition(chosen) if chosen.shape[1] <= _WIDEST else None
    mean_cosine = float((total.square().sum() - count) / (count * (count - 1)))
    return EmbeddingShape(name, len(table), table.shape[1], mean_cosine, ratio, len(chosen))


def measure_partition(rows: Tensor) -> float:
    """min Z(c) / max Z(c) over the eigenvectors c of EᵀE, both signs; Z(c) = Σ exp(c·row)."""
    rows = rows.double()
    directions = torch.linalg.eigh(rows.T @ rows).eigenvectors
    along = rows @ directions
    sums = torch.cat([along.logsumexp(0), (-along).logsumexp(0)])
    return float((sums.min() - sums.max()).exp())
