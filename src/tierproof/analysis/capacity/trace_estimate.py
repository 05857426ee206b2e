"""Estimate the spectrum of a large matrix: the largest singular values, and the entropy of all of them.

Sources: Musco and Musco 2015 (block Krylov) for the largest values; Ubaru, Chen and Saad 2017 (stochastic Lanczos
quadrature) for the traces of the rest; to part the two is due to Meyer et al. 2021 (Hutch++).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

_KRYLOV = 5
_PROBES, _STEPS = 12, 40
_TINY = 1e-15
# Numbers of one block of rows in float64: 64 MB.
_BLOCK_NUMBERS = 1 << 23

Apply = Callable[[Tensor], Tensor]


def find_largest(matrix: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The singular values of a matrix [rows, columns] on a Krylov space, largest first, and a basis of it.

    Returns:
        values and basis [columns, k] in float64, k about five times `count`.
    """
    current = torch.randn(matrix.shape[1], count, generator=generator, dtype=torch.float64).to(matrix.device)
    blocks = []
    for _ in range(_KRYLOV):
        current = torch.linalg.qr(_apply_gram(matrix, current)).Q
        blocks.append(current)
    basis = torch.linalg.qr(torch.cat(blocks, 1)).Q
    squares, vectors = torch.linalg.eigh(basis.T @ _apply_gram(matrix, basis))
    return squares.clamp_min(0).sqrt().flip(0), basis @ vectors.flip(1)


def estimate_log_rank(
    matrix: Tensor, largest: Tensor, basis: Tensor, generator: torch.Generator
) -> tuple[float, float]:
    """The logarithm of the effective rank, and its error.

    Args:
        matrix: [rows, columns], not more columns than rows.
        largest, basis: of `find_largest`; they are counted exactly, and the rest is estimated.
        generator: of the probes.

    Returns:
        the estimate, and two standard errors over the probes (jackknife) plus three times what the last quarter of the
        steps changed, as what is left falls with their number; in nats, so it is the relative error of the rank.
    """
    width = matrix.shape[1]

    def apply(vectors: Tensor) -> Tensor:
        product = _apply_gram(matrix, vectors)
        return product - basis @ (basis.T @ product)

    diagonal, beside = _run_lanczos(apply, _draw_probes(width, basis, generator))
    scale = float(largest[0])
    exact = _add_entropy(largest / scale)
    sums = exact + (width - basis.shape[1]) * _sum_functions(diagonal, beside, scale, _STEPS)
    estimate = _log_rank(sums.mean(0))
    others = torch.stack([_log_rank((sums.sum(0) - row) / (_PROBES - 1)) for row in sums])
    spread = float(((_PROBES - 1) / _PROBES * (others - others.mean()).square().sum()).sqrt())
    shorter = _sum_functions(diagonal, beside, scale, 3 * _STEPS // 4)
    fewer = _log_rank((exact + (width - basis.shape[1]) * shorter).mean(0))
    return float(estimate), 2 * spread + 3 * abs(float(estimate - fewer))


def _apply_gram(matrix: Tensor, vectors: Tensor) -> Tensor:
    """MᵀM times vectors [columns, k], in float64, by blocks of rows."""
    total = torch.zeros_like(vectors)
    rows = max(1, _BLOCK_NUMBERS // matrix.shape[1])
    for start in range(0, matrix.shape[0], rows):
        block = matrix[start : start + rows].double()
        total += block.T @ (block @ vectors)
    return total


def _draw_probes(width: int, basis: Tensor, generator: torch.Generator) -> Tensor:
    """Random unit vectors at right angles to the basis, [width, probes]."""
    probes = torch.randn(width, _PROBES, generator=generator, dtype=torch.float64).to(basis.device)
    probes -= basis @ (basis.T @ probes)
    units: Tensor = probes / probes.norm(dim=0)
    return units


def _run_lanczos(apply: Apply, current: Tensor) -> tuple[Tensor, Tensor]:
    """The tridiagonal matrices for all probes: [probes, steps] and [probes, steps − 1]."""
    kept, diagonal, beside = [current], [], []
    for step in range(_STEPS):
        following = apply(current)
        diagonal.append((following * current).sum(0))
        for _ in range(2):  # twice is enough, against the loss of orthogonality
            for vector in kept:
                following = following - vector * (following * vector).sum(0)
        if step < _STEPS - 1:
            norm = following.norm(dim=0)
            beside.append(norm)
            current = following / norm.clamp_min(_TINY)
            kept.append(current)
    return torch.stack(diagonal, 1), torch.stack(beside, 1)


def _sum_functions(diagonal: Tensor, beside: Tensor, scale: float, steps: int) -> Tensor:
    """For each probe the means of σ and of σ ln σ over the dimensions, [probes, 2], σ in units of `scale`."""
    small = torch.diag_embed(diagonal[:, :steps])
    small = small + torch.diag_embed(beside[:, : steps - 1], 1) + torch.diag_embed(beside[:, : steps - 1], -1)
    found, vectors = torch.linalg.eigh(small)
    values = found.clamp_min(0).sqrt() / scale
    weights = vectors[:, 0].square()
    products = values * values.clamp_min(_TINY).log()
    return torch.stack([(weights * values).sum(1), (weights * products).sum(1)], 1)


def _add_entropy(values: Tensor) -> Tensor:
    """Σσ and Σσ ln σ."""
    return torch.stack([values.sum(), (values * values.clamp_min(_TINY).log()).sum()])


def _log_rank(sums: Tensor) -> Tensor:
    """ln Σσ − Σσ ln σ / Σσ."""
    found: Tensor = sums[0].log() - sums[1] / sums[0]
    return found
