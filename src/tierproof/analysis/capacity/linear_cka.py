"""Linear centred kernel alignment between representations of the same positions.

Kornblith et al. 2019 (arXiv 1905.00414) with the unbiased estimator of Song et al. 2012, as Nguyen et al. 2021 (arXiv
2010.15327) use it: the biased one tends to 1 where there are fewer positions than channels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LEAST_ROWS = 8
# Below this part of the largest, what is left of a centred kernel is rounding.
_ROUNDING = 1e-12


def align_linearly(states: Sequence[Tensor]) -> tuple[tuple[float | None, ...], ...]:
    """CKA between each two of these representations, [rows, channels] each, of the same eight rows or more.

    The estimate is 1 of a representation with itself and can be slightly below 0 for unrelated ones; it is None where
    all rows of one are alike.
    """
    flat = torch.stack([_centre_kernel(state).flatten() for state in states])
    products = flat @ flat.T
    sizes = products.diagonal().sqrt()
    return tuple(
        tuple(
            float(products[i, j] / (sizes[i] * sizes[j])) if sizes[i] > 0 and sizes[j] > 0 else None
            for j in range(len(states))
        )
        for i in range(len(states))
    )


def _centre_kernel(state: Tensor) -> Tensor:
    """The U-centred kernel: its inner products are n(n − 3) times the unbiased HSIC."""
    rows = state.double()
    scale = rows.abs().max()
    rows = rows / scale if scale > 0 else rows
    whole = float(rows.square().sum())
    # Kernels of centred rows are the same after centring, and lose no digits to a large mean.
    rows = rows - rows.mean(0)
    count = len(rows)
    kernel = rows @ rows.T
    if float(kernel.diagonal().sum()) <= _ROUNDING * whole:
        return torch.zeros_like(kernel)
    kernel.fill_diagonal_(0)
    sums = kernel.sum(0)
    kernel = kernel - (sums[:, None] + sums[None]) / (count - 2) + sums.sum() / ((count - 1) * (count - 2))
    return kernel.fill_diagonal_(0)
