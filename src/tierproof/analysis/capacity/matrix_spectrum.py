"""The singular values of one matrix in a few figures: exact for small ones, estimated with a stated error for others.

Sources: effective rank: Roy and Vetterli 2007; stable rank: Rudelson and Vershynin 2007; exponent of the tail: Hill
1975 (Clauset et al. 2009, equation 3.1), read as Martin and Mahoney 2021 read it; the estimates are those of
`trace_estimate`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from tierproof.analysis.capacity.trace_estimate import estimate_log_rank, find_largest

# Up to this many singular values they are all computed.
_MOST_EXACT = 1024
# Numbers of one block of a product in float64: 64 MB.
_BLOCK_NUMBERS = 1 << 23
_TOP_SHARE, _TAIL_SHARE, _LEAST_TAIL = 0.01, 0.1, 8
# Values closer together than this have no tail.
_LEAST_SPREAD = 1.01
_OVERSAMPLED = 10


@dataclass(frozen=True)
class Spectrum:
    """What the singular values σ of a matrix tell.

    Attributes:
        full_rank: the smaller side.
        effective_rank: the exponential of the entropy of σ / Σσ; from 1 to `full_rank`, 0 for a matrix of zeros.
        stable_rank: Σσ² / max σ².
        top_share: of Σσ², how much the largest hundredth of the σ holds (at least one of them).
        tail_exponent: α of a density λ^−α fitted to the largest tenth of the λ = σ²; None where that is under eight
            values, or where not all are computed.
        relative_error: of the effective rank; 0 where all σ were computed.
    """

    full_rank: int
    effective_rank: float
    stable_rank: float
    top_share: float
    tail_exponent: float | None
    relative_error: float


def is_estimated(matrix: Tensor) -> bool:
    """Whether a matrix is so large that its figures are estimated."""
    return min(matrix.shape) > _MOST_EXACT


def measure_spectrum(matrix: Tensor, seed: int = 0) -> Spectrum:
    """Measure a finite matrix [rows, columns] of any floating dtype; equal seeds give equal figures."""
    matrix = matrix.detach()
    matrix = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    largest = float(matrix.abs().max())
    if largest == 0:
        return Spectrum(matrix.shape[1], 0.0, 0.0, 0.0, None, 0.0)
    if not is_estimated(matrix):
        return _summarise(_list_singular_values(matrix, largest))
    return _estimate(matrix / largest, seed)


def _list_singular_values(matrix: Tensor, largest: float) -> Tensor:
    """All of them in descending order, in units of the largest entry; from the eigenvalues of MᵀM in float64.

    Values below 1e-8 of the largest are lost in rounding and count as zero.
    """
    width = matrix.shape[1]
    gram = torch.zeros(width, width, dtype=torch.float64, device=matrix.device)
    rows = max(1, _BLOCK_NUMBERS // width)
    for start in range(0, matrix.shape[0], rows):
        block = matrix[start : start + rows].double() / largest
        gram.addmm_(block.T, block)
    squares: Tensor = torch.linalg.eigvalsh(gram).flip(0)
    noise = width * torch.finfo(torch.float64).eps * float(squares[0])
    return squares.where(squares > noise, 0.0).sqrt()


def _summarise(values: Tensor) -> Spectrum:
    squares = values.square()
    shares = values[values > 0] / values.sum()
    count = max(1, math.ceil(_TOP_SHARE * len(values)))
    return Spectrum(
        full_rank=len(values),
        effective_rank=float(torch.exp(-(shares * shares.log()).sum())),
        stable_rank=float(squares.sum() / squares[0]),
        top_share=float(squares[:count].sum() / squares.sum()),
        tail_exponent=fit_tail(squares),
        relative_error=0.0,
    )


def fit_tail(squares: Tensor) -> float | None:
    """The exponent of the largest tenth of these values, in descending order: 1 + k / Σ ln(λᵢ / λₖ₊₁)."""
    count = int(_TAIL_SHARE * len(squares))
    if (
        count < _LEAST_TAIL
        or not float(squares[count]) > 0
        or float(squares[0] / squares[count]) < _LEAST_SPREAD
    ):
        return None
    return 1 + count / float((squares[:count] / squares[count]).log().sum())


def _estimate(matrix: Tensor, seed: int) -> Spectrum:
    width = matrix.shape[1]
    generator = torch.Generator().manual_seed(seed)
    count = math.ceil(_TOP_SHARE * width)
    energy = _sum_squares(matrix)
    values, basis = find_largest(matrix, count + _OVERSAMPLED, generator)
    log_rank, error = estimate_log_rank(matrix, values, basis, generator)
    return Spectrum(
        full_rank=width,
        effective_rank=min(math.exp(log_rank), float(width)),
        stable_rank=energy / float(values[0].square()),
        top_share=min(float(values[:count].square().sum()) / energy, 1.0),
        tail_exponent=None,
        relative_error=error,
    )


def _sum_squares(matrix: Tensor) -> float:
    rows = max(1, _BLOCK_NUMBERS // matrix.shape[1])
    return sum(
        float(matrix[start : start + rows].double().square().sum())
        for start in range(0, matrix.shape[0], rows)
    )
