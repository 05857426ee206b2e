"""Ranks and tails equal independent formulas; the estimates of large matrices are within their stated error."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tierproof.analysis.capacity import matrix_spectrum
from tierproof.analysis.capacity.matrix_spectrum import fit_tail, measure_spectrum


def draw(rows, columns, number, *, decay=0.0):
    generator = torch.Generator().manual_seed(number)
    matrix = torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    return matrix * torch.arange(1, columns + 1) ** -decay


@seed(0)
@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(2, 60),
    columns=st.integers(2, 60),
    number=st.integers(0, 10**6),
    decay=st.floats(0, 2),
    scale=st.sampled_from([1e-20, 1.0, 1e20]),
)
def test_exact_figures_are_those_of_numpy(rows, columns, number, decay, scale):
    matrix = draw(rows, columns, number, decay=decay)
    values = np.linalg.svd(matrix.numpy(), compute_uv=False)
    shares = values / values.sum()
    count = max(1, math.ceil(0.01 * len(values)))
    found = measure_spectrum(matrix * scale)
    assert found.full_rank == min(rows, columns)
    assert found.effective_rank == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)
    assert found.stable_rank == pytest.approx(
        np.linalg.norm(matrix.numpy(), "fro") ** 2 / np.linalg.norm(matrix.numpy(), 2) ** 2, rel=1e-9
    )
    assert found.top_share == pytest.approx((values[:count] ** 2).sum() / (values**2).sum(), rel=1e-9)
    assert found.relative_error == 0


def test_matrices_of_known_rank():
    assert measure_spectrum(torch.eye(20)).effective_rank == pytest.approx(20)
    assert measure_spectrum(torch.eye(20)).tail_exponent is None
    assert measure_spectrum(torch.ones(30, 20)).effective_rank == pytest.approx(1, abs=1e-3)
    assert measure_spectrum(torch.ones(30, 20)).stable_rank == pytest.approx(1)
    assert measure_spectrum(torch.zeros(3, 4)).effective_rank == 0
    two = torch.diag(torch.tensor([3.0, 3.0, 0.0]))
    assert measure_spectrum(two.bfloat16()).effective_rank == pytest.approx(2, abs=1e-3)


def test_the_tail_of_a_power_law_has_its_exponent():
    uniform = np.random.default_rng(0).uniform(size=20_000)
    squares = torch.tensor(np.sort(uniform ** (-1 / (2.5 - 1)))[::-1].copy())  # p(x) ~ x^-2.5
    assert fit_tail(squares) == pytest.approx(2.5, abs=0.1)
    assert fit_tail(torch.ones(500)) is None


@pytest.mark.parametrize("decay", [0.0, 0.5, 1.0, 2.0])
def test_estimates_are_within_their_stated_error(monkeypatch, decay):
    matrix = draw(500, 400, 3, decay=decay).float()
    exact = measure_spectrum(matrix)
    monkeypatch.setattr(matrix_spectrum, "_MOST_EXACT", 100)
    found = measure_spectrum(matrix)
    assert 0 < found.relative_error < 0.1
    assert abs(found.effective_rank / exact.effective_rank - 1) <= found.relative_error + 1e-3
    assert found.stable_rank == pytest.approx(exact.stable_rank, rel=0.02)
    assert found.top_share == pytest.approx(exact.top_share, rel=0.02)
    assert found == measure_spectrum(matrix)
